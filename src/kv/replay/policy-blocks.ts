/**
 * A policy of evict/ over numbered blocks. What a request does not need to run is all that a trace can ask for: a block that is not worth its place
 * is left out, with those that extend it. A last block that is not full is never kept.
 */

import { Random } from '../../base/random.ts';
import {
  keyWords,
  noPlace,
  type Policy,
  type PolicyName,
  type SessionHint,
  type StopReason,
} from '../../evict/api.ts';
import { makePolicy } from '../../evict/policies.ts';
import type { Trace } from '../traces/trace.ts';
import type { BlockCache } from './block-cache.ts';

const absent = -1;
/** Requests come one after the other. */
const request0 = 0;
const seed = 12_345;

export class PolicyBlocks implements BlockCache {
  evictions = 0;
  readonly #trace: Trace;
  readonly #policy: Policy;
  /** Place of each block, or absent. */
  readonly #placeOf: Int32Array;
  readonly #blockAt: Int32Array;
  readonly #parentAt: Int32Array;
  readonly #childrenAt: Int32Array;
  readonly #keys: Int32Array;
  #used = 0;

  constructor(trace: Trace, capacityBlocks: number, policy: PolicyName) {
    this.#trace = trace;
    this.#policy = makePolicy(policy, capacityBlocks, new Random(seed));
    this.#placeOf = new Int32Array(trace.distinct).fill(absent);
    this.#blockAt = new Int32Array(capacityBlocks);
    this.#parentAt = new Int32Array(capacityBlocks);
    this.#childrenAt = new Int32Array(capacityBlocks);
    this.#keys = new Int32Array(keyWords * longest(trace));
  }

  has(block: number): boolean {
    return this.#placeOf[block] !== absent;
  }

  use(request: number): void {
    const { references, starts, fullBlocks, arrivalsMs, inputTokens, outputTokens, stops, hints } =
      this.#trace;
    const start = starts[request] as number;
    const count = fullBlocks[request] as number;
    const atMs = arrivalsMs[request] as number;
    for (let depth = 0; depth < count; depth += 1) {
      this.#keys[depth * keyWords] = references[start + depth] as number;
    }
    const policy = this.#policy;
    policy.begin(request0, atMs, inputTokens[request] as number, this.#keys, count);
    let kept = 0;
    while (kept < count && this.has(references[start + kept] as number)) {
      policy.retain(this.#placeOf[references[start + kept] as number] as number);
      kept += 1;
    }
    while (kept < count && this.#keep(start, kept)) kept += 1;
    const stop = stops[request] as StopReason;
    policy.end(
      request0,
      atMs,
      outputTokens[request] as number,
      stop,
      hints[request] as SessionHint,
    );
    for (let depth = kept - 1; depth >= 0; depth -= 1) {
      policy.release(this.#placeOf[references[start + depth] as number] as number);
    }
  }

  #keep(start: number, depth: number): boolean {
    const { references } = this.#trace;
    const block = references[start + depth] as number;
    const place = this.#freePlace(depth);
    if (place === noPlace) return false;
    const parent =
      depth === 0 ? noPlace : (this.#placeOf[references[start + depth - 1] as number] as number);
    this.#placeOf[block] = place;
    this.#blockAt[place] = block;
    this.#parentAt[place] = parent;
    this.#childrenAt[place] = 0;
    this.#policy.place(request0, depth, place);
    if (parent === noPlace) return true;
    const children = this.#childrenAt[parent] as number;
    this.#childrenAt[parent] = children + 1;
    if (children === 0) this.#policy.branch(parent);
    return true;
  }

  #freePlace(depth: number): number {
    if (this.#used < this.#blockAt.length) return this.#used++;
    const policy = this.#policy;
    if (!policy.admits(request0, depth)) return noPlace;
    const place = policy.victim();
    if (place === noPlace) return noPlace;
    this.evictions += 1;
    this.#placeOf[this.#blockAt[place] as number] = absent;
    policy.gone(place);
    const parent = this.#parentAt[place] as number;
    if (parent === noPlace) return place;
    const children = (this.#childrenAt[parent] as number) - 1;
    this.#childrenAt[parent] = children;
    if (children === 0) policy.leaf(parent);
    return place;
  }
}

function longest({ fullBlocks }: Trace): number {
  return fullBlocks.reduce((most, count) => Math.max(most, count), 0);
}
