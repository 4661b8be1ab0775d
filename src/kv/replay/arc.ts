/**
 * ARC over numbered blocks, those of a request from the last to the first: one list for what was used once, one for what was used again, and of each
 * as many ghosts, which tell which of the two should have been longer.
 *
 * Source: Megiddo and Modha, FAST 2003.
 */

import type { Trace } from '../traces/trace.ts';
import { BlockLists } from './block-lists.ts';
import type { BlockCache } from './block-cache.ts';

const once = 0;
const again = 1;
const onceGhosts = 2;
const againGhosts = 3;

export class ArcBlocks implements BlockCache {
  readonly #trace: Trace;
  readonly #capacity: number;
  readonly #lists: BlockLists;
  /** Length that the list of what was used once should have. */
  #target = 0;
  evictions = 0;

  constructor(trace: Trace, capacityBlocks: number) {
    this.#trace = trace;
    this.#capacity = capacityBlocks;
    this.#lists = new BlockLists(trace.distinct, 4);
  }

  has(block: number): boolean {
    const list = this.#lists.listOf(block);
    return list === once || list === again;
  }

  use(request: number): void {
    const { references, starts } = this.#trace;
    const start = starts[request] as number;
    for (let at = (starts[request + 1] as number) - 1; at >= start; at -= 1) {
      this.#useBlock(references[at] as number);
    }
  }

  #useBlock(block: number): void {
    const lists = this.#lists;
    const list = lists.listOf(block);
    if (list === onceGhosts || list === againGhosts) this.#adapt(list);
    if (list < 0) this.#makeRoom();
    else if (list === onceGhosts || list === againGhosts) this.#demote(list === againGhosts);
    lists.put(list < 0 ? once : again, block);
  }

  #adapt(ghosts: number): void {
    const inOnce = this.#lists.size(onceGhosts);
    const inAgain = this.#lists.size(againGhosts);
    this.#target =
      ghosts === onceGhosts
        ? Math.min(this.#capacity, this.#target + Math.max(1, inAgain / inOnce))
        : Math.max(0, this.#target - Math.max(1, inOnce / inAgain));
  }

  /** Room for a block that is not even a ghost. */
  #makeRoom(): void {
    const lists = this.#lists;
    const ofOnce = lists.size(once) + lists.size(onceGhosts);
    const ofAgain = lists.size(again) + lists.size(againGhosts);
    if (ofOnce === this.#capacity) {
      if (lists.size(once) < this.#capacity) {
        lists.remove(lists.oldest(onceGhosts));
        this.#demote(false);
      } else {
        lists.remove(lists.oldest(once));
        this.evictions += 1;
      }
    } else if (ofOnce + ofAgain >= this.#capacity) {
      if (ofOnce + ofAgain === 2 * this.#capacity) lists.remove(lists.oldest(againGhosts));
      this.#demote(false);
    }
  }

  /** Makes the oldest block of the list that is too long a ghost, if all places are taken. */
  #demote(isForAgainGhost: boolean): void {
    const lists = this.#lists;
    const size = lists.size(once);
    if (size + lists.size(again) < this.#capacity) return;
    const isTooLong = size > this.#target || (isForAgainGhost && size === Math.floor(this.#target));
    const from = size > 0 && (isTooLong || lists.size(again) === 0) ? once : again;
    lists.put(from === once ? onceGhosts : againGhosts, lists.oldest(from));
    this.evictions += 1;
  }
}
