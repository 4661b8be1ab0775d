/** Time that a thread was kept from running: other people's work on the same machine must not count as ours. */

import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Of the thread that reads it: time on the processor, time waiting for one, turns. */
const file = '/proc/thread-self/schedstat';

/**
 * Nanoseconds that this thread was ready to run and another had the processor. 0 where the kernel does not tell, or where there are more workers
 * than processors: then they wait for each other.
 */
export function waitedNs(workers: number): number {
  if (workers > availableParallelism() || !existsSync(file)) return 0;
  return Number(readFileSync(file, 'latin1').split(' ')[1]);
}

/** Of all threads of this process. */
export function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}
