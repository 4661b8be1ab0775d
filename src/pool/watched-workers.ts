/** Workers that joined a shared pool and may end without closing it: the kernel does not tell of threads, the worker's exit does. */

import { hasCode } from '../errors.ts';
import { watchWorker, type StartedThread } from '../memory/worker-exit.ts';
import { withPen } from '../store/pen.ts';
import { reapOwner } from '../store/reap.ts';
import { sweepRetired } from '../store/remove.ts';
import type { Store } from '../store/store.ts';

export class WatchedWorkers {
  readonly #store: Store;
  /** Slots of threads that have ended, to be recovered. */
  readonly #abandoned: number[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** @param mayRecover asked when the worker has ended; otherwise `recover` has to be called later */
  watch(worker: StartedThread, mayRecover: () => boolean): void {
    watchWorker(worker, this.#store.region, (slot) => {
      this.#abandoned.push(slot);
      if (mayRecover()) this.recover();
    });
  }

  /** Ends the leases of those who have ended, and frees what they had. Where a lock is in the way, whoever needs memory will do it. */
  recover(): void {
    const store = this.#store;
    try {
      for (const slot of this.#abandoned.splice(0)) {
        if (!store.closed && reapOwner(store, slot)) withPen(store, () => sweepRetired(store));
      }
    } catch (error) {
      if (!hasCode(error, 'pool_busy')) throw error;
    }
  }
}
