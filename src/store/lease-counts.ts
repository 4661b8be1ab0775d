/** How many leases this thread holds on each entry: the entry itself knows only whether there is one. */
export class LeaseCounts {
  #counts = new Int32Array(64);

  /** @returns true for the first lease on the entry */
  take(ordinal: number): boolean {
    if (ordinal >= this.#counts.length) this.#grow(ordinal + 1);
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

  #grow(length: number): void {
    const grown = new Int32Array(Math.max(2 * this.#counts.length, length));
    grown.set(this.#counts);
    this.#counts = grown;
  }
}
