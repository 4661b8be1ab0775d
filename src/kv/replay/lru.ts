/** Exact LRU over numbered blocks. */

import type { Trace } from '../traces/trace.ts';
import { BlockLists } from './block-lists.ts';
import type { BlockCache } from './block-cache.ts';

const kept = 0;

/**
 * The blocks of a request are used from the last to the first: of blocks used together the deepest goes first, since without an earlier one it
 * is worth nothing (what vLLM and SGLang do).
 */
export class LruBlocks implements BlockCache {
  readonly #trace: Trace;
  readonly #capacity: number;
  readonly #lists: BlockLists;
  evictions = 0;

  constructor(trace: Trace, capacityBlocks: number) {
    this.#trace = trace;
    this.#capacity = capacityBlocks;
    this.#lists = new BlockLists(trace.distinct, 1);
  }

  has(block: number): boolean {
    return this.#lists.listOf(block) === kept;
  }

  use(request: number): void {
    const { references, starts } = this.#trace;
    const start = starts[request] as number;
    for (let at = (starts[request + 1] as number) - 1; at >= start; at -= 1) {
      this.#lists.put(kept, references[at] as number);
    }
    for (; this.#lists.size(kept) > this.#capacity; this.evictions += 1) {
      this.#lists.remove(this.#lists.oldest(kept));
    }
  }
}
