/**
 * One request after the other through a cache of blocks: hits are the leading blocks that are there, the others are put in as far as the policy lets
 * them. What a request does not need to run is all that a trace can ask for: a block that is not worth its place is left out.
 */

import { keyWords, noPlace, type Policy } from '../../evict/api.ts';
import type { ReplayRequest } from './request.ts';

const absent = -1;

/** Blocks of the longest request that is expected at first. */
const firstLength = 1024;

export class SequentialCache {
  hits = 0;
  evictions = 0;
  readonly #policy: Policy;
  /** Place of each block, or absent. */
  readonly #placeOf: Int32Array;
  readonly #blockAt: Int32Array;
  readonly #parentAt: Int32Array;
  readonly #childrenAt: Int32Array;
  #used = 0;
  /** A place that has just come free, or noPlace. */
  #keys: Int32Array = new Int32Array(firstLength * keyWords);
  readonly #keepsPartial: boolean;

  /**
   * @param blocks how many blocks there are in the trace
   * @param keepsPartial whether a last block that is not full is a block like any other
   */
  constructor(places: number, blocks: number, policy: Policy, keepsPartial: boolean) {
    this.#policy = policy;
    this.#keepsPartial = keepsPartial;
    this.#placeOf = new Int32Array(blocks).fill(absent);
    this.#blockAt = new Int32Array(places);
    this.#parentAt = new Int32Array(places);
    this.#childrenAt = new Int32Array(places);
  }

  play(request: ReplayRequest): void {
    const { blocks } = request;
    const count = this.#keepsPartial ? blocks.length : request.fullBlocks;
    this.#policy.begin(0, request.atMs, request.inputTokens, this.#keysOf(blocks, count), count);
    let hits = 0;
    while (hits < count && this.#placeOf[blocks[hits] as number] !== absent) hits++;
    this.hits += hits;
    for (let depth = 0; depth < hits; depth++) {
      this.#policy.retain(this.#placeOf[blocks[depth] as number] as number);
    }
    let kept = hits;
    while (kept < count && this.#keep(blocks, kept)) kept++;
    this.#policy.end(0, request.atMs, request.outputTokens, request.stop, request.hint);
    for (let depth = kept - 1; depth >= 0; depth--) {
      this.#policy.release(this.#placeOf[blocks[depth] as number] as number);
    }
  }

  #keep(blocks: Int32Array, depth: number): boolean {
    const block = blocks[depth] as number;
    const place = this.#free(depth);
    if (place === noPlace) return false;
    const parent = depth === 0 ? noPlace : (this.#placeOf[blocks[depth - 1] as number] as number);
    this.#placeOf[block] = place;
    this.#blockAt[place] = block;
    this.#parentAt[place] = parent;
    this.#childrenAt[place] = 0;
    this.#policy.place(0, depth, place);
    if (parent === noPlace) return true;
    const children = this.#childrenAt[parent] as number;
    this.#childrenAt[parent] = children + 1;
    if (children === 0) this.#policy.branch(parent);
    return true;
  }

  #free(depth: number): number {
    if (this.#used < this.#blockAt.length) return this.#used++;
    if (!this.#policy.admits(0, depth)) return noPlace;
    const place = this.#policy.victim();
    if (place === noPlace) return noPlace;
    this.evictions++;
    this.#placeOf[this.#blockAt[place] as number] = absent;
    this.#policy.gone(place);
    const parent = this.#parentAt[place] as number;
    if (parent === noPlace) return place;
    const children = (this.#childrenAt[parent] as number) - 1;
    this.#childrenAt[parent] = children;
    if (children === 0) this.#policy.leaf(parent);
    return place;
  }

  #keysOf(blocks: Int32Array, count: number): Int32Array {
    if (count * keyWords > this.#keys.length) this.#keys = new Int32Array(2 * count * keyWords);
    for (let depth = 0; depth < count; depth++) {
      this.#keys[depth * keyWords] = blocks[depth] as number;
    }
    return this.#keys;
  }
}
