import { fail } from '../errors.ts';

/** How many leases this thread holds on each entry: the entry itself knows only whether there is one. */
export class LeaseCounts {
  #counts = new Int32Array(64);
  readonly #entryCount: () => number;

  /** @param entryCount how many entries there are, asked for when one is met with a number higher than ever */
  constructor(entryCount: () => number) {
    this.#entryCount = entryCount;
  }

  /** @returns true for the first lease on the entry @throws pool_corrupt when there is no such entry */
  take(ordinal: number): boolean {
    if (ordinal >>> 0 >= this.#counts.length) this.#grow(ordinal);
    const count = this.#counts[ordinal] as number;
    this.#counts[ordinal] = count + 1;
    return count === 0;
  }

  /** @returns true when it was the last */
  drop(ordinal: number): boolean {
    const left = (this.#counts[ordinal] as number) - 1;
    this.#counts[ordinal] = left;
    return left === 0;
  }

  get any(): boolean {
    return this.#counts.some((count) => count > 0);
  }

  clear(): void {
    this.#counts.fill(0);
  }

  #grow(ordinal: number): void {
    const count = this.#entryCount();
    if (!(ordinal >= 0 && ordinal < count)) fail('pool_corrupt', `There is no entry ${ordinal}.`);
    const grown = new Int32Array(Math.max(2 * this.#counts.length, ordinal + 1));
    grown.set(this.#counts);
    this.#counts = grown;
  }
}
