/** A writer in a process of its own. */

import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./writer-child.js', import.meta.url));

/** Keeps a process on one core, where the system can do that: a reader and a writer that take turns on one say nothing of two. */
export function pin(pid: number | undefined, core: number): void {
  if (pid !== undefined) spawnSync('taskset', ['-apc', String(core), String(pid)]);
}

/** The next message of a child, which does not come when the child ends before. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const heard = new AbortController();
  const { signal } = heard;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the writer ended with ${String(code)}`);
  });
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal }), ended])) as unknown[];
    return answer;
  } finally {
    ended.catch(() => undefined);
    heard.abort();
  }
}

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
    core = 0,
  ): Promise<Writer> {
    const words = [what, where, String(count), String(sizeBytes), String(seed)];
    const child = fork(script, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await answerOf(child);
    pin(child.pid, core);
    return new Writer(child);
  }

  run(): void {
    this.#child.send('run');
  }

  /** @returns writes per second since `run` */
  async pause(): Promise<number> {
    const answer = answerOf(this.#child);
    this.#child.send('pause');
    return ((await answer) as { readonly perSecond: number }).perSecond;
  }

  async end(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.send('end');
    await exited;
  }
}
