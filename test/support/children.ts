/** Processes that a test runs to their end while it waits, in time: no limit of a test ends a wait that does not give way. */

import { spawnSync, type SpawnSyncOptions, type SpawnSyncReturns } from 'node:child_process';

/** A bound against what hangs, not an expectation about speed. */
export const childLimitMs: number = process.env['CI'] === 'true' ? 300_000 : 120_000;

/** Runs a command; what it writes is text. @throws when it does not end within `limitMs`: it is killed then */
export function runToEnd(
  command: string,
  args: readonly string[],
  options: Omit<SpawnSyncOptions, 'encoding' | 'timeout'> = {},
  limitMs: number = childLimitMs,
): SpawnSyncReturns<string> {
  const ended = spawnSync(command, args, {
    ...options,
    encoding: 'utf8',
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  if (ended.error !== undefined && 'code' in ended.error && ended.error.code === 'ETIMEDOUT') {
    const said = [ended.stdout, ended.stderr].filter(Boolean).join('\n');
    throw new Error(`${command} ${args.join(' ')} has not ended within ${limitMs} ms\n${said}`);
  }
  return ended;
}

/** Whether this machine has a command: it is asked for its version. */
export function hasCommand(command: string): boolean {
  return runToEnd(command, ['--version']).status === 0;
}
