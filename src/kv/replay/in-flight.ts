/**
 * A trace played against the real block manager, with time: a request holds its blocks while it runs, its output takes blocks as it comes, and who finds
 * no room waits for those before it. So a cache is smaller the busier it is, as in an engine.
 *
 * ```
 * arrival ──► waits? ──► prefill (tokens not found / prefillPerS) ──► decode (a block per 512 tokens / decodePerS) ──► end
 * ```
 */

import type { PolicyName, SessionHint, StopReason } from '../../evict/api.ts';
import { KvCache } from '../kv-cache.ts';
import { noRoom } from '../state.ts';
import { requestCount, tokensPerBlock, type Trace } from '../traces/trace.ts';
import { MaxHeap } from './max-heap.ts';

/** How fast the engine is. */
export interface EngineSpeed {
  /** Prompt tokens per second and request. */
  readonly prefillPerS: number;
  /** Generated tokens per second and request. */
  readonly decodePerS: number;
}

export const defaultSpeed: EngineSpeed = { prefillPerS: 20_000, decodePerS: 40 };

const seed = 12_345;
/** Requests that run at once, at most. */
const runningMax = 4096;
/**
 * A block of a trace is a number; here it is two tokens, so that what is left of a prompt, and what is generated, can be a token of a block that is not
 * full.
 */
const blockTokens = 2;
const tokenOfOutput = 0x7fff_0000;

export class InFlight {
  hits = 0;
  /** References of requests that have begun. */
  references = 0;
  /** Requests that had to wait for room, and those that could never have it. */
  waited = 0;
  refused = 0;
  readonly #trace: Trace;
  readonly #speed: EngineSpeed;
  readonly #cache: KvCache;
  readonly #places: number;
  #nowMs = 0;
  /** Next request to arrive, and the first that waits: those between wait in order. */
  #arrived = 0;
  #next = 0;
  /** Of running requests: sequence, and tokens that are left to generate. */
  readonly #sequences: Int32Array;
  readonly #left: Float64Array;
  /** Steps to come; the earliest has the highest rank. */
  readonly #steps = new MaxHeap();
  #running = 0;
  #lastToWait = -1;

  /** @param places blocks of the cache */
  constructor(trace: Trace, policy: PolicyName, places: number, speed: EngineSpeed = defaultSpeed) {
    this.#trace = trace;
    this.#speed = speed;
    this.#places = places;
    this.#sequences = new Int32Array(requestCount(trace));
    this.#left = new Float64Array(requestCount(trace));
    this.#cache = new KvCache({
      blocks: places,
      blockTokens,
      requestsMax: runningMax,
      policy,
      seed,
      clock: { nowMs: () => this.#nowMs },
      secret: new Uint8Array(16),
    });
  }

  get done(): boolean {
    return this.#next === requestCount(this.#trace) && this.#running === 0;
  }

  get evictions(): number {
    return this.#cache.reports.lifetime.count;
  }

  /** Requests that have begun. */
  get requests(): number {
    return this.#next;
  }

  /** Lets so many things happen. */
  play(events: number): void {
    for (let event = 0; event < events && !this.done; event += 1) this.#step();
  }

  #step(): void {
    const { arrivalsMs } = this.#trace;
    const arrivalMs =
      this.#arrived < arrivalsMs.length ? (arrivalsMs[this.#arrived] as number) : Infinity;
    const stepMs = this.#steps.size > 0 ? -this.#steps.rank : Infinity;
    if (arrivalMs <= stepMs) {
      this.#nowMs = Math.max(this.#nowMs, arrivalMs);
      this.#arrived += 1;
    } else {
      this.#nowMs = stepMs;
      const request = this.#steps.block;
      this.#steps.pop();
      this.#continue(request);
    }
    while (this.#next < this.#arrived && this.#begin(this.#next)) this.#next += 1;
  }

  /** @returns false when it has to wait */
  #begin(request: number): boolean {
    const { starts, fullBlocks, inputTokens, outputTokens } = this.#trace;
    const count = fullBlocks[request] as number;
    const references = (starts[request + 1] as number) - (starts[request] as number);
    if (count + 1 > this.#places) {
      this.refused += 1;
      this.references += references;
      return true;
    }
    const sequence = this.#cache.prefill(this.#tokensOf(request, count));
    if (sequence === noRoom) {
      if (request !== this.#lastToWait) this.waited += 1;
      this.#lastToWait = request;
      return false;
    }
    this.#sequences[request] = sequence;
    this.#left[request] = outputTokens[request] as number;
    this.#running += 1;
    this.references += references;
    const matched = this.#cache.matchedTokens(sequence) / blockTokens;
    this.hits += matched;
    const computed = Math.max(0, (inputTokens[request] as number) - matched * tokensPerBlock);
    this.#after(request, computed / this.#speed.prefillPerS);
    return true;
  }

  /** A block more of output, or the end. */
  #continue(request: number): void {
    const sequence = this.#sequences[request] as number;
    const left = this.#left[request] as number;
    if (left <= 0) return this.#end(request);
    const output = Int32Array.of(tokenOfOutput, request);
    // Where there is no room for what is generated, the request goes: it would be computed anew later, which a trace cannot show.
    if (this.#cache.append(sequence, output) === noRoom) return this.#end(request);
    const generated = Math.min(left, tokensPerBlock);
    this.#left[request] = left - generated;
    this.#after(request, generated / this.#speed.decodePerS);
  }

  #end(request: number): void {
    this.#cache.end(this.#sequences[request] as number, {
      stop: this.#trace.stops[request] as StopReason,
      hint: this.#trace.hints[request] as SessionHint,
    });
    this.#running -= 1;
  }

  #after(request: number, seconds: number): void {
    this.#steps.push(-(this.#nowMs + seconds * 1000), request);
  }

  /** The blocks of a prompt, and a token for what is left of it, which is nobody else's. */
  #tokensOf(request: number, count: number): Int32Array {
    const { references, starts } = this.#trace;
    const start = starts[request] as number;
    const tokens = new Int32Array(blockTokens * count + 1);
    for (let depth = 0; depth < count; depth += 1) {
      tokens[blockTokens * depth] = references[start + depth] as number;
    }
    tokens[blockTokens * count] = request;
    return tokens;
  }
}
