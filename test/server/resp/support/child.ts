/** A server in a process of its own, so that its memory can be told from the test's. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { onTestFinished } from 'vitest';

import type { RespLimits } from '../../../../src/server/resp/limits.ts';
import type { RespStats } from '../../../../src/server/resp/traffic.ts';

export interface ChildMemory extends RespStats {
  readonly rssBytes: number;
}

export interface ChildServer {
  readonly url: string;
  readonly port: number;
  /** What it holds after a collection of garbage. */
  memory(): Promise<ChildMemory>;
  stop(): Promise<void>;
}

const fixture = fileURLToPath(new URL('../fixtures/server.mjs', import.meta.url));

export async function startServer(limits: Partial<RespLimits> = {}): Promise<ChildServer> {
  const child = fork(fixture, [JSON.stringify(limits)], { execArgv: ['--expose-gc'] });
  const ended = once(child, 'exit');
  onTestFinished(() => void child.kill('SIGKILL'));
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    url,
    port: Number(new URL(url).port),
    async memory() {
      const answered = once(child, 'message');
      child.send('memory');
      return ((await answered) as [ChildMemory])[0];
    },
    async stop() {
      child.send('stop');
      await ended;
    },
  };
}
