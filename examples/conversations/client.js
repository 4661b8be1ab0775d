/** A small HTTP client: kept connections, the key on every request, anything but success is an error. */

import http from 'node:http';

export class Client {
  #url;
  #headers;
  #agent = new http.Agent({ keepAlive: true });

  /** @param {string} url @param {string} key */
  constructor(url, key) {
    this.#url = url;
    this.#headers = { Authorization: `Bearer ${key}` };
  }

  /**
   * @param {'GET' | 'PUT' | 'POST'} method
   * @param {string} path
   * @param {Uint32Array} [tokens] sent as little-endian words, as they are in memory
   * @returns {Promise<Buffer>} the body of the answer
   */
  send(method, path, tokens) {
    const body = tokens && Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength);
    const headers = body ? { ...this.#headers, 'Content-Length': body.length } : this.#headers;
    return new Promise((resolve, reject) => {
      const request = http.request(`${this.#url}${path}`, { method, headers, agent: this.#agent });
      request.once('error', reject);
      request.once('response', (response) => {
        /** @type {Buffer[]} */
        const chunks = [];
        response.on('data', (/** @type {Buffer} */ chunk) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const bytes = Buffer.concat(chunks);
          const { statusCode = 0 } = response;
          if (statusCode < 300) resolve(bytes);
          else reject(new Error(`${method} ${path}: ${statusCode} ${bytes.toString()}`));
        });
      });
      request.end(body);
    });
  }

  close() {
    this.#agent.destroy();
  }
}

/**
 * Runs `work` on each item, at most `concurrency` at once. The first failure ends it.
 *
 * @template T
 * @param {readonly T[]} items
 * @param {number} concurrency
 * @param {(item: T) => Promise<void>} work
 */
export async function forEachOf(items, concurrency, work) {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
