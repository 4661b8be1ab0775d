/** A lane over HTTP: one connection that is kept, one request at a time. */

import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { CenoteError } from '../../errors.ts';
import { BlockCheck, type BlockBytes } from './block-bytes.ts';
import type { Answer, Lane, LaneOptions } from './lane.ts';

/** Most of a problem document that is looked at. */
const maxProblemBytes = 16 * 1024;

/** @throws target_unavailable, unauthorized, forbidden */
export async function connectHttp(options: LaneOptions): Promise<Lane> {
  const lane = new HttpLane(options);
  try {
    await lane.has(0);
  } catch (error) {
    lane.close();
    throw error;
  }
  return lane;
}

class HttpLane implements Lane {
  readonly window = 1;
  readonly #options: LaneOptions;
  readonly #bytes: BlockBytes;
  readonly #check: BlockCheck;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#bytes = options.bytes;
    this.#check = new BlockCheck(options.bytes);
  }

  has(block: number): Promise<Answer> {
    return this.#ask('HEAD', block);
  }

  async read(block: number): Promise<Answer> {
    const answer = await this.#ask('GET', block);
    return answer === 'yes' && !this.#check.isWhole ? 'wrong' : answer;
  }

  write(block: number): Promise<Answer> {
    return this.#ask('PUT', block);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Between two requests the server may have closed a connection that was kept: then the request is sent once more. */
  async #ask(method: Method, block: number): Promise<Answer> {
    const first = await this.#askOnce(method, block);
    const last = first === 'stale' ? await this.#askOnce(method, block) : first;
    if (last === 'stale') throw this.#unavailable('has closed the connection');
    return last;
  }

  async #askOnce(method: Method, block: number): Promise<Answer | 'stale'> {
    this.#check.begin(block);
    const sent = this.#send(method, block);
    try {
      return await this.#answerOf(await responseTo(sent));
    } catch (error) {
      if (error instanceof CenoteError) throw error;
      const isReset = error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
      if (isReset && sent.reusedSocket) return 'stale';
      throw this.#unavailable(error instanceof Error ? error.message : String(error), error);
    }
  }

  #send(method: Method, block: number): ClientRequest {
    const { target, prefix, ttlMs, patienceMs } = this.#options;
    const writes = method === 'PUT';
    const query = writes ? `?ttlMs=${Math.ceil(ttlMs)}` : '';
    const sent = request({
      agent: this.#agent,
      host: target.host,
      port: target.port,
      method,
      path: `/v1/contexts/${encodeURIComponent(prefix + String(block))}/parts/value${query}`,
      headers: {
        ...(target.key !== undefined && { Authorization: `Bearer ${target.key}` }),
        ...(writes && { 'Content-Length': String(this.#bytes.blockBytes) }),
      },
      timeout: patienceMs,
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer for ${patienceMs} ms`)));
    if (writes) {
      sent.write(this.#bytes.header(block));
      sent.write(this.#bytes.body(block));
    }
    sent.end();
    return sent;
  }

  async #answerOf(response: IncomingMessage): Promise<Answer> {
    const { statusCode: status = 0 } = response;
    if (status >= 200 && status < 300) {
      for await (const chunk of response) this.#check.push(chunk as Buffer);
      return 'yes';
    }
    const { code, detail } = await problemOf(response);
    if (status === 404 && (code === undefined || code === 'not_found')) return 'no';
    const message = detail ?? `status ${status}`;
    if (status === 401)
      throw new CenoteError('unauthorized', `${this.#options.target.name}: ${message}`);
    if (status === 403)
      throw new CenoteError('forbidden', `${this.#options.target.name}: ${message}`);
    return { word: code ?? String(status), message };
  }

  #unavailable(what: string, cause?: unknown): CenoteError {
    return new CenoteError('target_unavailable', `${this.#options.target.name}: ${what}`, {
      cause,
    });
  }
}

type Method = 'HEAD' | 'GET' | 'PUT';

function responseTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('response', resolve);
    sent.on('error', reject);
  });
}

/** Code and detail of a refusal, as far as it has them; the body is read to its end, so that the connection can be kept. */
async function problemOf(
  response: IncomingMessage,
): Promise<{ readonly code?: string; readonly detail?: string }> {
  let text = '';
  for await (const chunk of response) {
    if (text.length < maxProblemBytes) text += (chunk as Buffer).toString('latin1');
  }
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return {
      ...(typeof code === 'string' && { code }),
      ...(typeof detail === 'string' && { detail }),
    };
  } catch {
    return {};
  }
}
