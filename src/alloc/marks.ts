/** A set of references: one bit per granule, on the JavaScript heap. */

import { fail } from '../errors.ts';
import { granuleShift, type Ref, type Region } from '../memory/region.ts';
import type { Marks } from './api.ts';

export class MarkSet implements Marks {
  readonly #bits: Int32Array[];
  readonly #segmentShift: number;

  constructor(region: Region) {
    this.#segmentShift = region.segmentShift - granuleShift;
    this.#bits = region.segments.map(
      ({ sizeBytes }) => new Int32Array(Math.ceil(sizeBytes / 2048)),
    );
  }

  /** @throws foreign_reference when `ref` lies in no segment that existed when the set was made */
  add(ref: Ref): boolean {
    const bits = this.#segment(ref);
    if (bits === undefined)
      return fail('foreign_reference', `reference ${ref} lies outside the region`);
    const word = this.#word(ref);
    const before = bits[word] as number;
    bits[word] = before | (1 << (ref & 31));
    return bits[word] !== before;
  }

  has(ref: Ref): boolean {
    const bits = this.#segment(ref);
    return bits !== undefined && ((bits[this.#word(ref)] as number) & (1 << (ref & 31))) !== 0;
  }

  #segment(ref: Ref): Int32Array | undefined {
    if ((ref | 0) !== ref || ref <= 0) return undefined;
    const bits = this.#bits[ref >> this.#segmentShift];
    return bits !== undefined && this.#word(ref) < bits.length ? bits : undefined;
  }

  #word(ref: Ref): number {
    return (ref & ((1 << this.#segmentShift) - 1)) >> 5;
  }
}
