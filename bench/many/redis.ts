/** Redis on a unix socket, without persistence. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

const lookPauseMs = 20;
const looksMax = 500;

/** @returns undefined where the system has no redis-server */
export async function startRedisAt(path: string): Promise<{ stop(): Promise<void> } | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return undefined;
  const words = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', words, { stdio: 'ignore' });
  for (let look = 0; look < looksMax && !existsSync(path); look += 1) {
    await new Promise((resolve) => setTimeout(resolve, lookPauseMs));
  }
  return {
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
