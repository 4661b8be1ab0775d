/** Records: what is kept of a request as long as blocks of its groups are known. The next request of its session finds it by them. */

import { grown } from '../../base/grown.ts';
import { none } from './known.ts';

const firstRecords = 256;

export class Records {
  /** When it began, and once it is over, when it ended; in seconds. */
  atS: Float64Array = new Float64Array(firstRecords);
  blocks: Int32Array = new Int32Array(firstRecords);
  inputTokens: Float64Array = new Float64Array(firstRecords);
  outputTokens: Float64Array = new Float64Array(firstRecords);
  evidence: Uint8Array = new Uint8Array(firstRecords);
  turn: Int32Array = new Int32Array(firstRecords);
  /** Returns of the session seen, and those expected; older ones count less. */
  observed: Float64Array = new Float64Array(firstRecords);
  expected: Float64Array = new Float64Array(firstRecords);
  /** Groups that refer to it, and one for the request while it runs. */
  references: Int32Array = new Int32Array(firstRecords);
  #nextFree = new Int32Array(firstRecords);
  #used = 0;
  #free = none;

  create(): number {
    const record = this.#take();
    this.references[record] = 1;
    this.outputTokens[record] = 0;
    this.evidence[record] = 0;
    return record;
  }

  release(record: number): void {
    const references = (this.references[record] as number) - 1;
    this.references[record] = references;
    if (references > 0) return;
    this.#nextFree[record] = this.#free;
    this.#free = record;
  }

  reset(): void {
    this.#used = 0;
    this.#free = none;
  }

  #take(): number {
    if (this.#free !== none) {
      const record = this.#free;
      this.#free = this.#nextFree[record] as number;
      return record;
    }
    if (this.#used === this.turn.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const count = 2 * this.turn.length;
    this.atS = grown(this.atS, count);
    this.blocks = grown(this.blocks, count);
    this.inputTokens = grown(this.inputTokens, count);
    this.outputTokens = grown(this.outputTokens, count);
    this.evidence = grown(this.evidence, count);
    this.turn = grown(this.turn, count);
    this.observed = grown(this.observed, count);
    this.expected = grown(this.expected, count);
    this.references = grown(this.references, count);
    this.#nextFree = grown(this.#nextFree, count);
  }
}
