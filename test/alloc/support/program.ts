/** Something that programs do to an allocator, by owners that take turns. */

import assert from 'node:assert/strict';
import type { PoolAllocator } from '../../../src/alloc/allocator.ts';
import type { Ref } from '../../../src/memory/region.ts';
import { codeOf } from '../../memory/support/regions.ts';
import { bytesOf } from './oracle.ts';

export const kind = 2;
/** Zeroed when freed; `kind` is not. */
export const zeroedKind = 3;

/** Owners that take turns: of two, each frees what the other has allocated. */
export class Program {
  readonly #owners: readonly PoolAllocator[];
  #turn = 0;

  constructor(owners: readonly PoolAllocator[]) {
    this.#owners = owners;
  }

  get next(): PoolAllocator {
    return this.#owners[this.#turn++ % this.#owners.length] as PoolAllocator;
  }

  allocate(sizeBytes: number, of: number = kind): Ref {
    const ref = this.next.allocate(of, sizeBytes);
    assert(ref > 0, 'exhausted');
    return ref;
  }

  free(ref: Ref, of: number = kind): void {
    this.next.free(ref, of);
  }

  /** What every owner is told who frees that. */
  freeing(ref: Ref, of: number = kind): string {
    const codes = this.#owners.map((owner) => codeOf(() => owner.free(ref, of)));
    assert.equal(new Set(codes).size, 1, codes.join(', '));
    return codes[0] as string;
  }

  bytes(ref: Ref, sizeBytes: number): Uint8Array {
    return bytesOf(this.next, ref, sizeBytes);
  }

  /** Goes on as if nothing had been. */
  expectSound(): void {
    for (const owner of this.#owners) assert.deepEqual(owner.check(), []);
    const refs = [64, 200, 4096, 9000, 100_000].flatMap((sizeBytes) => [
      this.allocate(sizeBytes),
      this.allocate(sizeBytes, zeroedKind),
    ]);
    assert.equal(new Set(refs).size, refs.length);
    refs.forEach((ref, i) => this.free(ref, i % 2 === 0 ? kind : zeroedKind));
    for (const owner of this.#owners) assert.deepEqual(owner.check(), []);
  }
}
