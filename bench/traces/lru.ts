/** Exact LRU over block numbers: what sampled eviction is held against. */

const none = -1;

/** A ring of blocks from most to least recently used, in two typed arrays. */
class LruRing {
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #newest = none;
  #oldest = none;
  size = 0;
  readonly #resident: Uint8Array;

  constructor(distinct: number) {
    this.#newer = new Int32Array(distinct).fill(none);
    this.#older = new Int32Array(distinct).fill(none);
    this.#resident = new Uint8Array(distinct);
  }

  /** Takes the block out. @returns false when it was not in */
  remove(block: number): boolean {
    if (this.#resident[block] === 0) return false;
    const newer = this.#newer[block] as number;
    const older = this.#older[block] as number;
    if (newer === none) this.#newest = older;
    else this.#older[newer] = older;
    if (older === none) this.#oldest = newer;
    else this.#newer[older] = newer;
    this.#resident[block] = 0;
    this.size -= 1;
    return true;
  }

  addNewest(block: number): void {
    this.#newer[block] = none;
    this.#older[block] = this.#newest;
    if (this.#newest === none) this.#oldest = block;
    else this.#newer[this.#newest] = block;
    this.#newest = block;
    this.#resident[block] = 1;
    this.size += 1;
  }

  removeOldest(): void {
    if (this.#oldest !== none) this.remove(this.#oldest);
  }
}

/** @returns hits of a plain LRU of `capacity` ≥ 1 blocks; every reference counts alone */
export function lruHits(references: Int32Array, distinct: number, capacity: number): number {
  if (capacity < 1) throw new RangeError(`an LRU of ${capacity} blocks holds nothing`);
  const ring = new LruRing(distinct);
  let hits = 0;
  for (const block of references) {
    if (ring.remove(block)) hits += 1;
    else if (ring.size >= capacity) ring.removeOldest();
    ring.addNewest(block);
  }
  return hits;
}
