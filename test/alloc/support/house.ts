/** Several owners of one small region, in one thread, and an account of what they hold together. */

import assert from 'node:assert/strict';
import {
  createAllocator,
  openAllocator,
  type PoolAllocator,
} from '../../../src/alloc/allocator.ts';
import { hasCode } from '../../../src/errors.ts';
import type { Ref } from '../../../src/memory/region.ts';
import { verifyAbsence } from './absence.ts';
import { fillShared } from '../../support/fill.ts';
import { bytesOf, isFull } from './oracle.ts';
import { SmallRegion, type SmallRegionShape } from './regions.ts';

export interface Holding {
  readonly ref: Ref;
  readonly kind: number;
  readonly sizeBytes: number;
  readonly mark: number;
  /** Slot of who allocated it. */
  readonly by: number;
  kept: boolean;
}

/** All kinds are zeroed when freed: what is given out twice, or not wiped, shows. Locks are not waited for. */
const options = { zeroKinds: 0b11110, lockWaitMs: 0 };

export class House {
  readonly held: Map<Ref, Holding> = new Map();
  readonly regions: Map<number, SmallRegion> = new Map();
  readonly allocators: Map<number, PoolAllocator> = new Map();
  readonly #options: { zeroKinds: number; lockWaitMs: number };
  /** By slot: what an owner writes does not depend on what others did meanwhile. */
  readonly #marks = new Map<number, number>();

  constructor(
    shape: SmallRegionShape,
    slots: readonly number[],
    zeroKinds: number = options.zeroKinds,
  ) {
    this.#options = { ...options, zeroKinds };
    const first = new SmallRegion(shape);
    this.regions.set(0, first);
    this.allocators.set(0, createAllocator(first, this.#options));
    for (const slot of slots) if (slot !== 0) this.join(slot);
  }

  of(slot: number): PoolAllocator {
    return this.allocators.get(slot) as PoolAllocator;
  }

  /** Someone takes a slot. */
  join(slot: number): PoolAllocator {
    const region = (this.regions.get(0) as SmallRegion).joined(slot);
    const allocator = openAllocator(region, this.#options);
    this.regions.set(slot, region);
    this.allocators.set(slot, allocator);
    return allocator;
  }

  /** An owner is gone without a word. What it had allocated and not kept is not expected any more. */
  die(slot: number): void {
    this.regions.get(slot)?.die();
    this.allocators.delete(slot);
    for (const { ref, by, kept } of this.held.values()) {
      if (by === slot && !kept) this.held.delete(ref);
    }
  }

  /** An owner leaves in order. */
  leave(slot: number): void {
    this.of(slot).leave();
    this.regions.get(slot)?.close();
    this.allocators.delete(slot);
  }

  allocate(slot: number, kind: number, sizeBytes: number, keep = true): Ref {
    const allocator = this.of(slot);
    const ref = allocator.allocate(kind, sizeBytes);
    if (ref === 0) return 0;
    assert(!this.held.has(ref), `reference ${ref} was given out twice`);
    const usable = allocator.sizeOf(ref);
    const nth = (this.#marks.get(slot) ?? 0) + 1;
    this.#marks.set(slot, nth);
    const mark = ((31 * slot + nth) & 127) + 1;
    fillShared(bytesOf(allocator, ref, usable), mark);
    this.held.set(ref, { ref, kind, sizeBytes: usable, mark, by: slot, kept: false });
    if (keep) this.keep(slot, ref);
    return ref;
  }

  keep(slot: number, ref: Ref): void {
    this.of(slot).keep(ref);
    (this.held.get(ref) as Holding).kept = true;
  }

  free(slot: number, ref: Ref): void {
    const holding = this.held.get(ref) as Holding;
    this.verifyBytes(holding);
    this.held.delete(ref); // first: another may have it before we are told
    this.of(slot).free(ref, holding.kind);
  }

  verifyBytes({ ref, mark, sizeBytes }: Holding): void {
    const [any] = this.allocators.values();
    any?.region.refresh();
    const bytes = bytesOf(any as PoolAllocator, ref, sizeBytes);
    if (isFull(bytes, mark)) return;
    const wrong = bytes.findIndex((byte) => byte !== mark);
    assert.fail(`byte ${wrong} of ${ref} was overwritten`);
  }

  /** What is live is what is held, every owner's books are in order. */
  verify(touches: ReadonlySet<Ref> = new Set()): void {
    for (const [slot, allocator] of this.allocators)
      assert.deepEqual(allocator.check(), [], `slot ${slot}`);
    const [any] = this.allocators.values();
    verifyAbsence(any?.region as SmallRegion);
    const live = new Set<Ref>();
    any?.walk(({ ref, kind, sizeBytes, kept }) => {
      live.add(ref);
      const holding = this.held.get(ref);
      if (holding === undefined) {
        assert(touches.has(ref), `reference ${ref} is live and nobody's`);
        const mark = bytesOf(any, ref, 1)[0] as number;
        this.held.set(ref, { ref, kind, sizeBytes, mark, by: -1, kept });
        return;
      }
      assert.deepEqual([kind, sizeBytes], [holding.kind, holding.sizeBytes]);
      if (!touches.has(ref)) assert.equal(kept, holding.kept, `reference ${ref} is kept: ${kept}`);
    });
    for (const holding of this.held.values()) {
      if (live.has(holding.ref)) {
        if (!touches.has(holding.ref)) this.verifyBytes(holding);
      } else {
        assert(touches.has(holding.ref), `reference ${holding.ref} is lost`);
        this.held.delete(holding.ref);
      }
    }
  }

  /** Frees all, by turns, and demands every page back. */
  verifyNothingLost(): void {
    const slots = [...this.allocators.keys()];
    let turn = 0;
    for (const { ref, kind } of this.held.values()) {
      this.of(slots[turn++ % slots.length] as number).free(ref, kind);
      this.held.delete(ref);
    }
    for (const allocator of this.allocators.values()) allocator.leave();
    const [any] = this.allocators.values();
    for (const allocator of this.allocators.values()) allocator.flush();
    assert.deepEqual(any?.check(), []);
    assert.equal(any?.usedBytes, 0, 'pages are lost');
    assert.deepEqual([any.stats().allocations - any.stats().frees, any.stats().liveBytes], [0, 0]);
  }
}

/** Runs an operation that may find a lock taken. @returns false when it was told 'busy' */
export function unlessBusy(operation: () => void): boolean {
  try {
    operation();
    return true;
  } catch (error) {
    if (hasCode(error, 'pool_busy')) return false;
    throw error;
  }
}
