/** Traces of requests as numbered blocks, in a form that is quick to walk. */

import { grown } from '../../base/grown.ts';
import { fail } from '../../errors.ts';
import { stopReason, type StopReason } from '../../evict/api.ts';

/** What requests asked for, in order of time. A request is a chain of blocks: each one presumes those before it. */
export interface Trace {
  readonly name: string;
  /** Blocks of all requests, one request after the other; numbers are 0…distinct − 1. */
  readonly references: Int32Array;
  readonly distinct: number;
  /** The blocks of request r are references[starts[r]] … references[starts[r + 1] − 1]. */
  readonly starts: Int32Array;
  /** When each request came, in milliseconds after the first; never falling. */
  readonly arrivalsMs: Float64Array;
  /** Tokens of each prompt; where a trace does not tell, those of its blocks. */
  readonly inputTokens: Float64Array;
  /** Tokens that were generated; 0 where a trace does not tell. */
  readonly outputTokens: Float64Array;
  /** How each request ended (StopReason). */
  readonly stops: Uint8Array;
  /** What was said of the session's future from outside (SessionHint). */
  readonly hints: Uint8Array;
  /** Size at each reference, where a trace tells it. */
  readonly sizesBytes: Float64Array | undefined;
  /** Blocks of each request that are full: all, or all but the last. */
  readonly fullBlocks: Int32Array;
}

/** What a trace may tell of a request beside its blocks. */
export interface RequestFacts {
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly stop?: StopReason | undefined;
}

/** Tokens of a block in traces that number their blocks. */
export const tokensPerBlock = 512;

export function requestCount(trace: Trace): number {
  return trace.arrivalsMs.length;
}

/** Bounds of what is read: a trace is held in memory as a whole, about 8 bytes a reference and 100 a block. */
export const maxReferences: number = 2 ** 27;
export const maxRequests: number = 2 ** 26;
/** A little less than what a Map of V8 can hold. */
export const maxNumbered: number = 2 ** 24 - 2 ** 10;

const noFacts: RequestFacts = {};
const unknown = -1;

/** What names a block in a file. */
export type BlockId = number | string | bigint;

/** Takes requests one by one and gives their blocks numbers in order of first appearance. */
export class TraceBuilder {
  readonly #name: string;
  readonly #numbers = new Map<BlockId, number>();
  #references = new Int32Array(1024);
  #referenceCount = 0;
  #starts = new Int32Array(1024);
  #arrivalsMs = new Float64Array(1024);
  #inputTokens = new Float64Array(1024);
  #outputTokens = new Float64Array(1024);
  #stops = new Uint8Array(1024);
  #sizesBytes: Float64Array | undefined;
  #requestCount = 0;
  #distinct = 0;
  #firstMs = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** The blocks that follow belong to a request of that time. One that is out of order counts as of the time before it. */
  begin(atMs: number, facts: RequestFacts = noFacts): void {
    if (this.#requestCount >= maxRequests)
      fail('value_too_large', `${this.#name} has more than ${maxRequests} requests`);
    if (this.#requestCount + 1 >= this.#starts.length) {
      this.#starts = grown(this.#starts, 2 * this.#starts.length);
      this.#arrivalsMs = grown(this.#arrivalsMs, 2 * this.#arrivalsMs.length);
      this.#inputTokens = grown(this.#inputTokens, 2 * this.#inputTokens.length);
      this.#outputTokens = grown(this.#outputTokens, 2 * this.#outputTokens.length);
      this.#stops = grown(this.#stops, 2 * this.#stops.length);
    }
    if (this.#requestCount === 0) this.#firstMs = atMs;
    const beforeMs = this.#requestCount === 0 ? 0 : this.#arrivalsMs[this.#requestCount - 1];
    this.#arrivalsMs[this.#requestCount] = Math.max(beforeMs as number, atMs - this.#firstMs);
    this.#inputTokens[this.#requestCount] = facts.inputTokens ?? unknown;
    this.#outputTokens[this.#requestCount] = facts.outputTokens ?? 0;
    this.#stops[this.#requestCount] = facts.stop ?? stopReason.unknown;
    this.#starts[this.#requestCount] = this.#referenceCount;
    this.#requestCount += 1;
  }

  /** The next block of the request, by its name. */
  add(id: BlockId, sizeBytes?: number): void {
    let number = this.#numbers.get(id);
    if (number === undefined) {
      if (this.#numbers.size >= maxNumbered)
        fail('value_too_large', `${this.#name} has more than ${maxNumbered} distinct blocks`);
      number = this.#distinct;
      this.#distinct += 1;
      this.#numbers.set(id, number);
    }
    if (sizeBytes !== undefined) this.#noteSize(sizeBytes);
    this.#push(number);
  }

  /** Blocks that nobody asks for again. */
  addFresh(count: number): void {
    for (let index = 0; index < count; index += 1) {
      this.#push(this.#distinct);
      this.#distinct += 1;
    }
  }

  #noteSize(sizeBytes: number): void {
    this.#sizesBytes ??= new Float64Array(this.#references.length);
    if (this.#referenceCount >= this.#sizesBytes.length)
      this.#sizesBytes = grown(this.#sizesBytes, 2 * this.#sizesBytes.length);
    this.#sizesBytes[this.#referenceCount] = sizeBytes;
  }

  #push(number: number): void {
    if (this.#referenceCount >= maxReferences)
      fail('value_too_large', `${this.#name} has more than ${maxReferences} block references`);
    if (this.#referenceCount === this.#references.length)
      this.#references = grown(this.#references, 2 * this.#references.length);
    this.#references[this.#referenceCount] = number;
    this.#referenceCount += 1;
  }

  build(): Trace {
    const starts = this.#starts.slice(0, this.#requestCount + 1);
    starts[this.#requestCount] = this.#referenceCount;
    const inputTokens = this.#inputTokens.slice(0, this.#requestCount);
    const fullBlocks = new Int32Array(this.#requestCount);
    for (let request = 0; request < this.#requestCount; request += 1) {
      const blocks = (starts[request + 1] as number) - (starts[request] as number);
      if (inputTokens[request] === unknown) inputTokens[request] = blocks * tokensPerBlock;
      const whole = Math.floor((inputTokens[request] as number) / tokensPerBlock);
      fullBlocks[request] = Math.min(blocks, whole);
    }
    return {
      name: this.#name,
      references: this.#references.slice(0, this.#referenceCount),
      distinct: this.#distinct,
      starts,
      arrivalsMs: this.#arrivalsMs.slice(0, this.#requestCount),
      inputTokens,
      outputTokens: this.#outputTokens.slice(0, this.#requestCount),
      stops: this.#stops.slice(0, this.#requestCount),
      hints: new Uint8Array(this.#requestCount),
      sizesBytes: this.#sizesBytes?.slice(0, this.#referenceCount),
      fullBlocks,
    };
  }
}
