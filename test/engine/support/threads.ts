/**
 * Threads that engines have started, the last one last. In a test file:
 * `vi.mock('node:worker_threads', async (original) => (await import('./support/threads.ts')).watched(await original()));`
 */

import type * as workerThreads from 'node:worker_threads';

export const threads: workerThreads.Worker[] = [];

export function watched(real: typeof workerThreads): typeof workerThreads {
  return {
    ...real,
    Worker: class extends real.Worker {
      constructor(...options: ConstructorParameters<typeof workerThreads.Worker>) {
        super(...options);
        threads.push(this);
      }
    },
  };
}
