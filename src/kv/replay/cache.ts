/** A trace played against a cache of numbered blocks that exists on paper only. */

import { requestCount, type Trace } from '../traces/trace.ts';
import { ArcBlocks } from './arc.ts';
import { type BlockCache, prefixHits } from './block-cache.ts';
import { PolicyBlocks } from './policy-blocks.ts';
import { LruBlocks } from './lru.ts';
import { OptimalBlocks } from './optimum.ts';
import { S3FifoBlocks } from './s3fifo.ts';

/** `hazard` learns, `min` knows the future: nothing can hit more. */
export const policyNames = ['lru', 'lfu', 's3fifo', 'arc', 'hazard', 'min'] as const;
export type PolicyName = (typeof policyNames)[number];

type CreateCache = (trace: Trace, capacityBlocks: number) => BlockCache;
const caches: Readonly<Record<PolicyName, CreateCache>> = {
  lru: (trace, capacity) => new LruBlocks(trace, capacity),
  lfu: (trace, capacity) => new PolicyBlocks(trace, capacity, 'lfu'),
  s3fifo: (trace, capacity) => new S3FifoBlocks(trace, capacity),
  arc: (trace, capacity) => new ArcBlocks(trace, capacity),
  hazard: (trace, capacity) => new PolicyBlocks(trace, capacity, 'hazard'),
  min: (trace, capacity) => new OptimalBlocks(trace, capacity),
};

/**
 * Plays a trace, some requests at a time.
 *
 * A block hits only when it and every earlier block of its request are in the cache: that is what a prompt's prefix is worth to an engine.
 */
export class Simulation {
  readonly #trace: Trace;
  readonly #cache: BlockCache;
  #next = 0;
  #hits = 0;

  /** @param capacityBlocks at least 1 */
  constructor(trace: Trace, policy: PolicyName, capacityBlocks: number) {
    this.#trace = trace;
    this.#cache = caches[policy](trace, capacityBlocks);
  }

  /** Requests played. */
  get requests(): number {
    return this.#next;
  }

  get done(): boolean {
    return this.#next === requestCount(this.#trace);
  }

  get hits(): number {
    return this.#hits;
  }

  get evictions(): number {
    return this.#cache.evictions;
  }

  play(requests: number): void {
    const end = Math.min(requestCount(this.#trace), this.#next + requests);
    for (; this.#next < end; this.#next += 1) {
      this.#hits += prefixHits(this.#trace, this.#cache, this.#next);
      this.#cache.use(this.#next);
    }
  }
}
