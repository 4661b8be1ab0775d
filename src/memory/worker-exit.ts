/** Death notice for the owners in worker threads: the thread that starts a worker is the one that sees it exit. */

import type { Region } from './region.ts';

/** The part of a Worker that is used here. */
export interface StartedThread {
  readonly threadId: number;
  once(event: 'exit', listener: () => void): unknown;
}

/**
 * Tells `region` when `worker` has exited, however it came to that, and calls `recover` for each owner slot that it has left abandoned. To be
 * called in the turn that starts the worker. Mapped regions need it not: there `recover` is never called.
 */
export function watchWorker(
  worker: StartedThread,
  region: Region,
  recover: (slot: number) => void,
): void {
  const { threadId } = worker;
  worker.once('exit', () => {
    for (const slot of region.threadExited?.(threadId) ?? []) recover(slot);
  });
}
