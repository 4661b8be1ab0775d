/** What the disk tier was asked for and has not answered yet. Closing waits for it: the memory that it reads and writes is gone afterwards. */

import { fail } from '../errors.ts';

export class UnderWay {
  readonly #works = new Set<Promise<unknown>>();
  #isEnding = false;

  /** To be asked before what takes long, and before memory is held. @throws pool_closed once it is to end */
  check(): void {
    if (this.#isEnding) fail('pool_closed', 'This pool was closed.');
  }

  /** @throws pool_closed, and what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    const running = work();
    this.#works.add(running);
    try {
      return await running;
    } finally {
      this.#works.delete(running);
    }
  }

  /** Begins nothing any more; resolves when nothing is under way, whatever became of it. */
  async end(): Promise<void> {
    this.#isEnding = true;
    // Again, since it may be called by what is just beginning.
    do await Promise.allSettled(this.#works);
    while (this.#works.size > 0);
  }
}
