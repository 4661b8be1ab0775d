/** A writer in a process of its own. */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./writer-child.js', import.meta.url));

export class Writer {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @returns once it has filled what it writes to */
  static async start(
    what: 'pool' | 'lmdb' | 'redis',
    where: string,
    count: number,
    sizeBytes: number,
    seed = 11,
  ): Promise<Writer> {
    const words = [what, where, String(count), String(sizeBytes), String(seed)];
    const child = fork(script, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(child, 'message');
    return new Writer(child);
  }

  run(): void {
    this.#child.send('run');
  }

  /** @returns writes per second since `run` */
  async pause(): Promise<number> {
    const answer = once(this.#child, 'message');
    this.#child.send('pause');
    const [{ perSecond }] = (await answer) as [{ readonly perSecond: number }];
    return perSecond;
  }

  async end(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.send('end');
    await exited;
  }
}
