/** A `cenote serve` of our own, as a child process on a free port. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/cenote.js', import.meta.url));

export class Server {
  #child;
  /** Resolves when the child has ended, also when that happens before anyone asks. */
  #ended;
  url = '';
  /** The API key: said by the first start on a data folder, and only by that. */
  key = '';

  /** @param {string} folder */
  constructor(folder) {
    const words = ['serve', '--http', '0', '--data', folder, '--json'];
    // A key in the environment would stand in for the one that the first start makes.
    const env = { ...process.env, CENOTE_API_KEY: '' };
    this.#child = spawn(process.execPath, [program, ...words], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#ended = once(this.#child, 'exit');
  }

  /** Resolves when the server listens. @param {string} folder */
  static async start(folder) {
    const server = new Server(folder);
    const lines = createInterface({ input: server.#child.stdout });
    const [line] = await Promise.race([
      once(lines, 'line'),
      server.#ended.then(([code]) =>
        Promise.reject(new Error(`cenote serve ended with exit code ${code}`)),
      ),
    ]);
    /** @type {{ url: string, key: string, pool: string }} */
    const { url, key, pool } = JSON.parse(String(line));
    if (pool !== 'mapped') {
      await server.stop();
      throw new Error(
        'this machine has no mapped pools (see the platform matrix): nothing would outlive the restart',
      );
    }
    server.url = url;
    server.key = key;
    return server;
  }

  async stop() {
    this.#child.kill('SIGTERM');
    const [code] = await this.#ended;
    if (code !== 0) throw new Error(`cenote serve ended with exit code ${code}`);
  }
}
