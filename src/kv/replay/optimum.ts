/** The offline optimum: Belady's MIN with bypass. It knows what comes, so no cache of the same size hits more. */

import type { Trace } from '../traces/trace.ts';
import type { BlockCache } from './block-cache.ts';
import { MaxHeap } from './max-heap.ts';
import { never, nextUses } from './next-uses.ts';

/** A rank is the request that wants the block next, and below it how deep the block stands in its request. */
const depths = 2 ** 20;
const absent = -1;
/** Ranks that no longer hold are let lie until there are so many. */
const slack = 2 ** 16;

/**
 * Keeps the blocks that are wanted soonest; of blocks wanted by the same request the deeper ones go first. A block's predecessors are wanted no
 * later than itself and stand before it, so what is kept of a chain is always its beginning: prefix hits are maximal, too.
 */
export class OptimalBlocks implements BlockCache {
  readonly #trace: Trace;
  readonly #capacity: number;
  readonly #nextRequest: Int32Array;
  /** Of a block that is kept; else absent. */
  readonly #ranks: Float64Array;
  readonly #heap = new MaxHeap();
  #size = 0;
  evictions = 0;

  constructor(trace: Trace, capacityBlocks: number) {
    this.#trace = trace;
    this.#capacity = capacityBlocks;
    this.#nextRequest = nextUses(trace);
    this.#ranks = new Float64Array(trace.distinct).fill(absent);
  }

  has(block: number): boolean {
    return this.#ranks[block] !== absent;
  }

  use(request: number): void {
    const { references, starts } = this.#trace;
    const start = starts[request] as number;
    const end = starts[request + 1] as number;
    for (let at = start; at < end; at += 1) {
      const depth = Math.min(at - start, depths - 1);
      this.#keep(references[at] as number, this.#nextRequest[at] as number, depth);
    }
    while (this.#size > this.#capacity) this.#evict();
    // Ranks that hold no more sink in the heap; they are thrown out before they are the greater part of it.
    if (this.#heap.size > 2 * this.#size + slack)
      this.#heap.retain((rank, block) => this.#ranks[block] === rank);
  }

  #keep(block: number, nextRequest: number, depth: number): void {
    const wasKept = this.has(block);
    if (nextRequest === never) {
      this.#ranks[block] = absent;
      if (wasKept) this.#size -= 1;
      return;
    }
    const rank = nextRequest * depths + depth;
    this.#ranks[block] = rank;
    this.#heap.push(rank, block);
    if (!wasKept) this.#size += 1;
  }

  #evict(): void {
    for (;;) {
      const { rank, block } = this.#heap;
      this.#heap.pop();
      if (this.#ranks[block] !== rank) continue;
      this.#ranks[block] = absent;
      this.#size -= 1;
      this.evictions += 1;
      return;
    }
  }
}
