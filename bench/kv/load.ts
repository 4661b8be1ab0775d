/**
 * What a server asks of its block manager: prompts of 32 blocks and a bit, the first half of each one of many shared prefixes; some tokens are decoded,
 * which takes one block more; 64 requests are under way, and the oldest ends.
 *
 * A block operation is a block that is found or taken, or one that is let go: 34 + 34 for a request.
 */

import { KvCache, noRoom, type PolicyName } from 'cenote/kv';
import { Xorshift } from '../harness/random.ts';

export const blockTokens = 16;
const sharedBlocks = 16;
const ownBlocks = 16;
const tailTokens = 5;
export const decodedTokens = 12;
export const underWay = 64;
export const promptTokens: number = (sharedBlocks + ownBlocks) * blockTokens + tailTokens;
const requestBlocks = sharedBlocks + ownBlocks + 2;
export const requestOperations: number = 2 * requestBlocks;

/** The same prompts for everybody who asks with the same number of blocks. */
export class Prompts {
  readonly #random = new Xorshift(20261);
  readonly #prefixes: number;
  #fresh = 0x40000000;

  /** As many prefixes as fill half of the cache. */
  constructor(blocks: number) {
    this.#prefixes = Math.max(4, Math.floor(blocks / 2 / sharedBlocks));
  }

  /** Writes the next prompts, one after the other. */
  write(into: Int32Array): void {
    for (let from = 0; from < into.length; from += promptTokens) {
      const prefix = this.#random.below(this.#prefixes) * sharedBlocks * blockTokens;
      const shared = sharedBlocks * blockTokens;
      for (let i = 0; i < shared; i += 1) into[from + i] = prefix + i;
      for (let i = shared; i < promptTokens; i += 1) into[from + i] = this.#fresh++ | 0;
    }
  }
}

/** A cache at work. */
export class Load {
  readonly cache: KvCache;
  readonly #running = new Int32Array(underWay);
  #next = 0;

  constructor(blocks: number, policy: PolicyName) {
    this.cache = new KvCache({ blocks, blockTokens, requestsMax: 2 * underWay, policy, seed: 7 });
  }

  /** @returns what the operations depend on */
  request(prompts: Int32Array, index: number): number {
    const cache = this.cache;
    const from = index * promptTokens;
    const sequence = cache.prefill(prompts.subarray(from, from + promptTokens));
    if (sequence === noRoom) throw new Error('the cache is too small for what is under way');
    for (let i = 0; i < decodedTokens; i += 1) cache.decode(sequence, i);
    const slot = this.#next % underWay;
    if (this.#next >= underWay) cache.end(this.#running[slot] as number);
    this.#running[slot] = sequence;
    this.#next += 1;
    return cache.matchedTokens(sequence);
  }

  /** Until every block has been used, and blocks are evicted. */
  warmUp(prompts: Prompts): void {
    const { blocks } = this.cache.stats();
    const some = new Int32Array(64 * promptTokens);
    let left = Math.ceil(blocks / ownBlocks);
    while (left > 0) {
      prompts.write(some);
      for (let i = 0; i < 64; i += 1) this.request(some, i);
      left -= 64;
    }
  }
}
