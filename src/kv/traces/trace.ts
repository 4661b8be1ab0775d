/** Traces of requests as numbered blocks, in a form that is quick to walk. */

import { fail } from '../../errors.ts';

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
}

export function requestCount(trace: Trace): number {
  return trace.arrivalsMs.length;
}

/** Bounds of what is read: a trace is held in memory as a whole, about 8 bytes a reference and 100 a block. */
export const maxReferences: number = 2 ** 27;
export const maxRequests: number = 2 ** 26;
/** A little less than what a Map of V8 can hold. */
export const maxNumbered: number = 2 ** 24 - 2 ** 10;

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
  #requestCount = 0;
  #distinct = 0;
  #firstMs = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** The blocks that follow belong to a request of that time. One that is out of order counts as of the time before it. */
  begin(atMs: number): void {
    if (this.#requestCount >= maxRequests)
      fail('value_too_large', `${this.#name} has more than ${maxRequests} requests`);
    if (this.#requestCount + 1 >= this.#starts.length) {
      this.#starts = grown(this.#starts, Int32Array);
      this.#arrivalsMs = grown(this.#arrivalsMs, Float64Array);
    }
    if (this.#requestCount === 0) this.#firstMs = atMs;
    const beforeMs = this.#requestCount === 0 ? 0 : this.#arrivalsMs[this.#requestCount - 1];
    this.#arrivalsMs[this.#requestCount] = Math.max(beforeMs as number, atMs - this.#firstMs);
    this.#starts[this.#requestCount] = this.#referenceCount;
    this.#requestCount += 1;
  }

  /** The next block of the request, by its name. */
  add(id: BlockId): void {
    let number = this.#numbers.get(id);
    if (number === undefined) {
      if (this.#numbers.size >= maxNumbered)
        fail('value_too_large', `${this.#name} has more than ${maxNumbered} distinct blocks`);
      number = this.#distinct;
      this.#distinct += 1;
      this.#numbers.set(id, number);
    }
    this.#push(number);
  }

  /** Blocks that nobody asks for again. */
  addFresh(count: number): void {
    for (let index = 0; index < count; index += 1) {
      this.#push(this.#distinct);
      this.#distinct += 1;
    }
  }

  #push(number: number): void {
    if (this.#referenceCount >= maxReferences)
      fail('value_too_large', `${this.#name} has more than ${maxReferences} block references`);
    if (this.#referenceCount === this.#references.length)
      this.#references = grown(this.#references, Int32Array);
    this.#references[this.#referenceCount] = number;
    this.#referenceCount += 1;
  }

  build(): Trace {
    const starts = this.#starts.slice(0, this.#requestCount + 1);
    starts[this.#requestCount] = this.#referenceCount;
    return {
      name: this.#name,
      references: this.#references.slice(0, this.#referenceCount),
      distinct: this.#distinct,
      starts,
      arrivalsMs: this.#arrivalsMs.slice(0, this.#requestCount),
    };
  }
}

function grown<T extends Int32Array | Float64Array>(array: T, type: new (length: number) => T): T {
  const larger = new type(array.length * 2);
  larger.set(array);
  return larger;
}
