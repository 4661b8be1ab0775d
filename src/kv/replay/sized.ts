/**
 * Plain object caches with a capacity in bytes, as libCacheSim counts: an object that is missed is put in, whatever it costs, unless it is larger than
 * the cache. Known answers are how the replay of this project is held against another's.
 */

import { fail } from '../../errors.ts';
import type { Trace } from '../traces/trace.ts';
import { BlockLists } from './block-lists.ts';
import { MaxHeap } from './max-heap.ts';
import { nextUses } from './next-uses.ts';

export const sizedPolicyNames = ['lru', 'fifo', 'belady'] as const;
export type SizedPolicyName = (typeof sizedPolicyNames)[number];

/** What decides which object goes. */
interface Order {
  /** Reference number `at` is to an object that was there, or is now. */
  use(at: number, object: number, wasThere: boolean): void;
  /** The object that goes next, taken out. */
  pop(): number;
}

class ListOrder implements Order {
  readonly #lists: BlockLists;
  readonly #renews: boolean;

  constructor(objects: number, renews: boolean) {
    this.#lists = new BlockLists(objects, 1);
    this.#renews = renews;
  }

  use(_at: number, object: number, wasThere: boolean): void {
    if (!wasThere || this.#renews) this.#lists.put(0, object);
  }

  pop(): number {
    const object = this.#lists.oldest(0);
    this.#lists.remove(object);
    return object;
  }
}

/** Belady's: what is used again last goes first. */
class FutureOrder implements Order {
  readonly #nextUse: Int32Array;
  readonly #rank: Int32Array;
  readonly #heap = new MaxHeap();

  constructor(trace: Trace) {
    this.#nextUse = nextUses(trace);
    this.#rank = new Int32Array(trace.distinct);
  }

  use(at: number, object: number): void {
    const rank = this.#nextUse[at] as number;
    this.#rank[object] = rank;
    this.#heap.push(rank, object);
  }

  pop(): number {
    for (;;) {
      const { rank, block } = this.#heap;
      this.#heap.pop();
      if (this.#rank[block] !== rank) continue; // used since
      return block;
    }
  }
}

/** @returns references that were missed @throws invalid_argument when the trace tells no sizes */
export function sizedMisses(trace: Trace, policy: SizedPolicyName, capacityBytes: number): number {
  const { references, distinct, sizesBytes } = trace;
  if (sizesBytes === undefined) {
    fail('invalid_argument', `${trace.name} does not tell how large its objects are`);
  }
  const order =
    policy === 'belady' ? new FutureOrder(trace) : new ListOrder(distinct, policy === 'lru');
  const heldBytes = new Float64Array(distinct);
  const isThere = new Uint8Array(distinct);
  let usedBytes = 0;
  let misses = 0;
  for (let at = 0; at < references.length; at += 1) {
    const object = references[at] as number;
    const wasThere = isThere[object] === 1;
    if (!wasThere) {
      misses += 1;
      const sizeBytes = sizesBytes[at] as number;
      if (sizeBytes > capacityBytes) continue;
      while (usedBytes + sizeBytes > capacityBytes) {
        const victim = order.pop();
        isThere[victim] = 0;
        usedBytes -= heldBytes[victim] as number;
      }
      isThere[object] = 1;
      heldBytes[object] = sizeBytes;
      usedBytes += sizeBytes;
    }
    order.use(at, object, wasThere);
  }
  return misses;
}
