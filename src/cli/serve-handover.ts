/**
 * Connections on their way from this process to a worker. node:cluster deals them in turn, for each port one at a time to each worker, and forgets one
 * whose worker dies before it has answered for it: its client would wait for ever. Here it is closed, as by the end of a worker that had it.
 */

import type { Worker } from 'node:cluster';

/** A connection as node:cluster holds it; closing one that is closed does nothing. */
interface Handle {
  close(): void;
}

export class Handovers {
  /** Who was given a connection last: one that a worker has sent back is another's. */
  readonly #holders = new WeakMap<Handle, Worker>();

  /** From now on what this worker is given and does not take ends with it. */
  watch(worker: Worker): void {
    /** The last one of each port; those before it were answered for. */
    const last = new Map<unknown, Handle>();
    const { process } = worker;
    const send = process.send.bind(process) as (...words: readonly unknown[]) => boolean;
    process.send = (...words: readonly unknown[]): boolean => {
      const [message, handle] = words;
      if (isHandle(handle)) {
        last.set((message as { readonly key?: unknown }).key, handle);
        this.#holders.set(handle, worker);
      }
      return send(...words);
    };
    const end = (): void => {
      for (const handle of last.values()) {
        if (this.#holders.get(handle) === worker) handle.close();
      }
      last.clear();
    };
    // It may be given one more between the two, whichever comes first.
    worker.once('disconnect', end);
    worker.once('exit', end);
  }
}

function isHandle(value: unknown): value is Handle {
  return typeof value === 'object' && value !== null && 'close' in value;
}
