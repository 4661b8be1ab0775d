/** Other processes and threads that open a mapped region: fixtures/opener.mjs, spoken to by messages. */

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import { runToEnd } from '../../support/children.ts';

export interface Answer {
  readonly ok?: unknown;
  readonly code?: string;
  readonly message?: string;
}

export interface Opener {
  readonly pid: number;
  ask(command: string, ...values: unknown[]): Promise<Answer>;
  /** Ends it without warning; resolves when it is gone, with the signal of a process. */
  kill(): Promise<unknown>;
}

const script = fileURLToPath(new URL('../fixtures/opener.mjs', import.meta.url));

/** How a process is started in a pid namespace of its own, where it is the first process; it dies with who started it. */
const namespaced = [
  'unshare',
  ['--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL', process.execPath],
] as const;

/** Whether this process may make pid namespaces. */
export function mayUnshare(): boolean {
  return runToEnd(namespaced[0], [...namespaced[1].slice(0, -1), 'true']).status === 0;
}

export function openerInNamespace(folder: string, mode: string): Opener {
  const [execPath, execArgv] = namespaced;
  return openerOf(fork(script, [folder, mode], { execPath, execArgv: [...execArgv] }));
}

export function openerProcess(folder: string, mode: string): Opener {
  return openerOf(fork(script, [folder, mode], { execArgv: [] }));
}

function openerOf(child: ChildProcess): Opener {
  const gone = once(child, 'exit');
  const lost = gone.then(([code, signal]) =>
    Promise.reject(new Error(`it ended: ${String(code)} ${String(signal)}`)),
  );
  lost.catch(() => {});
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    pid: child.pid ?? -1,
    async ask(command, ...values) {
      const answer = once(child, 'message');
      child.send({ command, values });
      const [value] = (await Promise.race([answer, lost])) as [Answer];
      return value;
    },
    async kill() {
      child.kill('SIGKILL');
      const [, signal] = (await gone) as [number | null, unknown];
      return signal;
    },
  };
}

export function openerThread(folder: string, mode: string): Opener {
  const worker = new Worker(script, { workerData: [folder, mode] });
  onTestFinished(async () => void (await worker.terminate()));
  return {
    pid: process.pid,
    async ask(command, ...values) {
      const answer = once(worker, 'message');
      worker.postMessage({ command, values });
      const [value] = (await answer) as [Answer];
      return value;
    },
    kill: () => worker.terminate(),
  };
}
