/**
 * Which block size fits the sequences that come. Small blocks leave little empty and let more of a prefix be found; each costs its metadata, and its
 * share of hashing and bookkeeping.
 *
 * ```
 *   memory(B) = (empty tokens(B) + blocks(B) · blockBytes / tokenBytes) / tokens       part of the memory that holds no token
 *   time(B)   = (blocks(B) · blockNs + tail tokens(B) · returning · tokenNs) / (tokens · tokenNs)   part of the time to compute them
 * ```
 * The best size has the least sum. Empty tokens and blocks are counted for every candidate and every sequence, not estimated from means: real
 * lengths gather at round numbers. A tail is what is left over of a sequence behind its last full block: it is not cached, so who comes back with the
 * sequence computes it again.
 */

import { fail } from '../errors.ts';
import { checkCount } from './options.ts';

/** What the engine can do, when it says nothing else. */
const candidatesDefault: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const candidatesMax = 64;
const candidateMax = 2 ** 16;
/** Of each block: record 32, stamps 8, ring 4, list 8, bucket 4 to 8, table 4. */
const blockBytesDefault = 64;
/** To find or take a block and let it go again, without what hashing costs per token. */
const blockNsDefault = 200;
/** Sums are halved after so many sequences, so that old times are forgotten. */
const halfLife = 2 ** 16;

export interface BlockCosts {
  /** Attention state of a token. */
  readonly tokenBytes: number;
  /** Time to compute a token of a prompt. */
  readonly tokenNs: number;
  /** Part of sequences that are continued later. Default 0.5. */
  readonly returning?: number;
  /** Metadata of a block. */
  readonly blockBytes?: number;
  /** Bookkeeping of a block; add what the engine's kernels take more for small blocks. */
  readonly blockNs?: number;
}

export interface BlockSize {
  readonly blockTokens: number;
  /** Part of the room in blocks that is empty: the internal waste. */
  readonly emptyRatio: number;
  /** Parts of memory and time as above. */
  readonly memoryRatio: number;
  readonly timeRatio: number;
}

export interface BlockSizeAdvice {
  readonly best: BlockSize;
  readonly candidates: readonly BlockSize[];
  /** Sequences that it rests on, old ones counted less. */
  readonly sequences: number;
}

/** Watches how long sequences get. Constant time and memory per sequence. */
export class BlockSizeAdviser {
  readonly #candidates: Int32Array;
  readonly #blocks: Float64Array;
  readonly #tails: Float64Array;
  #tokens = 0;
  #sequences = 0;

  /**
   * @param candidates sizes that the engine can do
   * @throws invalid_argument
   */
  constructor(candidates: readonly number[] = candidatesDefault) {
    checkCount('number of candidates', candidates.length, 1, candidatesMax);
    for (const size of candidates) checkCount('candidate', size, 1, candidateMax);
    this.#candidates = Int32Array.from(candidates);
    this.#blocks = new Float64Array(candidates.length);
    this.#tails = new Float64Array(candidates.length);
  }

  /** A sequence ended that was `tokens` long. */
  record(tokens: number): void {
    for (let i = 0; i < this.#candidates.length; i++) {
      const size = this.#candidates[i] as number;
      this.#blocks[i] = (this.#blocks[i] as number) + Math.ceil(tokens / size);
      this.#tails[i] = (this.#tails[i] as number) + (tokens % size);
    }
    this.#tokens += tokens;
    this.#sequences += 1;
    if (this.#sequences >= halfLife) this.#forget();
  }

  /** @returns undefined as long as no sequence has ended. @throws invalid_argument */
  advise(costs: BlockCosts): BlockSizeAdvice | undefined {
    for (const [name, value] of Object.entries(costs)) {
      if (!(value >= 0 && value < Infinity)) fail('invalid_argument', `${name}: not ${value}`);
    }
    if (costs.tokenBytes === 0 || costs.tokenNs === 0) {
      fail('invalid_argument', 'tokenBytes and tokenNs are more than 0');
    }
    if (this.#tokens === 0) return undefined;
    const candidates = Array.from(this.#candidates, (size, i) => this.#judge(size, i, costs));
    const best = candidates.reduce((least, each) => (sum(each) < sum(least) ? each : least));
    return { best, candidates, sequences: this.#sequences };
  }

  #judge(blockTokens: number, i: number, costs: BlockCosts): BlockSize {
    const { returning = 0.5, blockBytes = blockBytesDefault, blockNs = blockNsDefault } = costs;
    const { tokenBytes, tokenNs } = costs;
    const blocks = this.#blocks[i] as number;
    const empty = blocks * blockTokens - this.#tokens;
    const lostNs = blocks * blockNs + (this.#tails[i] as number) * returning * tokenNs;
    return {
      blockTokens,
      emptyRatio: empty / (blocks * blockTokens),
      memoryRatio: (empty + (blocks * blockBytes) / tokenBytes) / this.#tokens,
      timeRatio: lostNs / (this.#tokens * tokenNs),
    };
  }

  #forget(): void {
    for (let i = 0; i < this.#candidates.length; i++) {
      this.#blocks[i] = (this.#blocks[i] as number) / 2;
      this.#tails[i] = (this.#tails[i] as number) / 2;
    }
    this.#tokens /= 2;
    this.#sequences /= 2;
  }
}

function sum({ memoryRatio, timeRatio }: BlockSize): number {
  return memoryRatio + timeRatio;
}
