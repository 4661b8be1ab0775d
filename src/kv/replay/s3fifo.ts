/**
 * S3-FIFO over numbered blocks, those of a request from the last to the first: a tenth of the places is a queue for what is new; what is used there
 * again, or was not long ago, goes on to the main queue, in which use gives another round.
 *
 * Source: Yang et al., SOSP 2023.
 */

import type { Trace } from '../traces/trace.ts';
import { BlockLists } from './block-lists.ts';
import type { BlockCache } from './block-cache.ts';

const small = 0;
const main = 1;
const ghosts = 2;
const smallShare = 0.1;
const usesMax = 3;

export class S3FifoBlocks implements BlockCache {
  readonly #trace: Trace;
  readonly #capacity: number;
  readonly #smallPlaces: number;
  readonly #lists: BlockLists;
  readonly #uses: Uint8Array;
  evictions = 0;

  constructor(trace: Trace, capacityBlocks: number) {
    this.#trace = trace;
    this.#capacity = capacityBlocks;
    this.#smallPlaces = Math.max(1, Math.floor(smallShare * capacityBlocks));
    this.#lists = new BlockLists(trace.distinct, 3);
    this.#uses = new Uint8Array(trace.distinct);
  }

  has(block: number): boolean {
    const list = this.#lists.listOf(block);
    return list === small || list === main;
  }

  use(request: number): void {
    const { references, starts } = this.#trace;
    const start = starts[request] as number;
    for (let at = (starts[request + 1] as number) - 1; at >= start; at -= 1) {
      const block = references[at] as number;
      if (this.has(block)) this.#uses[block] = Math.min(usesMax, (this.#uses[block] as number) + 1);
      else this.#insert(block);
    }
  }

  #insert(block: number): void {
    const lists = this.#lists;
    const isGhost = lists.listOf(block) === ghosts;
    lists.remove(block);
    while (lists.size(small) + lists.size(main) >= this.#capacity) this.#evict();
    this.#uses[block] = 0;
    lists.put(isGhost ? main : small, block);
  }

  #evict(): void {
    const lists = this.#lists;
    if (lists.size(small) >= this.#smallPlaces || lists.size(main) === 0) this.#evictSmall();
    else this.#evictMain();
  }

  #evictSmall(): void {
    const lists = this.#lists;
    const block = lists.oldest(small);
    if ((this.#uses[block] as number) > 1) {
      this.#uses[block] = 0;
      lists.put(main, block);
      return;
    }
    lists.put(ghosts, block);
    this.evictions += 1;
    if (lists.size(ghosts) > this.#capacity - this.#smallPlaces) {
      lists.remove(lists.oldest(ghosts));
    }
  }

  #evictMain(): void {
    const lists = this.#lists;
    const block = lists.oldest(main);
    const uses = this.#uses[block] as number;
    if (uses > 0) {
      this.#uses[block] = uses - 1;
      lists.put(main, block);
      return;
    }
    lists.remove(block);
    this.evictions += 1;
  }
}
