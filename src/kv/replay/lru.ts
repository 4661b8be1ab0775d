/** Exact LRU over numbered blocks. */

import type { Trace } from '../traces/trace.ts';
import type { BlockCache } from './cache.ts';

const none = -1;

/**
 * The blocks of a request are used from the last to the first: of blocks used together the deepest goes first, since without an earlier one it
 * is worth nothing (what vLLM and SGLang do).
 */
export class LruBlocks implements BlockCache {
  readonly #trace: Trace;
  readonly #capacity: number;
  /** A ring of blocks from the newest to the oldest. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #resident: Uint8Array;
  #newest = none;
  #oldest = none;
  #size = 0;
  evictions = 0;

  constructor(trace: Trace, capacityBlocks: number) {
    this.#trace = trace;
    this.#capacity = capacityBlocks;
    this.#newer = new Int32Array(trace.distinct).fill(none);
    this.#older = new Int32Array(trace.distinct).fill(none);
    this.#resident = new Uint8Array(trace.distinct);
  }

  has(block: number): boolean {
    return this.#resident[block] === 1;
  }

  use(request: number): void {
    const { references, starts } = this.#trace;
    const start = starts[request] as number;
    for (let at = (starts[request + 1] as number) - 1; at >= start; at -= 1) {
      const block = references[at] as number;
      if (this.has(block)) this.#remove(block);
      this.#addNewest(block);
    }
    for (; this.#size > this.#capacity; this.evictions += 1) this.#remove(this.#oldest);
  }

  #remove(block: number): void {
    const newer = this.#newer[block] as number;
    const older = this.#older[block] as number;
    if (newer === none) this.#newest = older;
    else this.#older[newer] = older;
    if (older === none) this.#oldest = newer;
    else this.#newer[older] = newer;
    this.#resident[block] = 0;
    this.#size -= 1;
  }

  #addNewest(block: number): void {
    this.#newer[block] = none;
    this.#older[block] = this.#newest;
    if (this.#newest === none) this.#oldest = block;
    else this.#newer[this.#newest] = block;
    this.#newest = block;
    this.#resident[block] = 1;
    this.#size += 1;
  }
}
