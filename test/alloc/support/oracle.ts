/** A naive account of what an allocator has handed out, and what must hold of it. */

import assert from 'node:assert/strict';
import type { Allocator } from '../../../src/alloc/api.ts';
import { kinds } from '../../../src/alloc/kind.ts';
import type { Ref, Segment } from '../../../src/memory/region.ts';
import { fillShared } from '../../support/fill.ts';
import { meetOutside } from '../../support/instrumented-words.ts';

export interface Held {
  readonly ref: Ref;
  readonly kind: number;
  readonly sizeBytes: number;
  mark: number;
  kept: boolean;
}

/** Where the bytes of a reference are. */
export function bytesOf(allocator: Allocator, ref: Ref, sizeBytes: number): Uint8Array {
  const { segmentShift, segments } = allocator.region;
  if (segments[ref >> (segmentShift - 6)] === undefined) allocator.region.refresh();
  const segment = segments[ref >> (segmentShift - 6)] as Segment;
  const from = (ref & ((1 << (segmentShift - 6)) - 1)) * 64;
  return segment.bytes.subarray(from, from + sizeBytes);
}

/** Each byte is the next one's, and the first the mark: compared as memory, not one by one. */
export function isFull(bytes: Uint8Array, mark: number): boolean {
  return bytes[0] === mark && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
}

export class Oracle {
  allocator: Allocator;
  held: Held[] = [];
  #marks = 0;

  constructor(allocator: Allocator) {
    this.allocator = allocator;
  }

  /**
   * Allocates and fills with a pattern of its own, so that an overlap shows.
   * @returns undefined when exhausted
   */
  allocate(kind: number, sizeBytes: number): Held | undefined {
    const ref = this.allocator.allocate(kind, sizeBytes);
    if (ref === 0) return undefined;
    const usable = this.allocator.sizeOf(ref);
    if (usable < sizeBytes) throw new Error(`${usable} bytes for ${sizeBytes}`);
    const mark = ++this.#marks & 255;
    fillShared(bytesOf(this.allocator, ref, usable), mark);
    const held = { ref, kind, sizeBytes: usable, mark, kept: false };
    meetOutside();
    this.held.push(held);
    return held;
  }

  /** Frees what stands at `index` after verifying its bytes. */
  free(index: number): void {
    const held = this.held[index] as Held;
    this.verifyBytes(held);
    this.allocator.free(held.ref, held.kind);
    this.forget(index);
  }

  forget(index: number): void {
    meetOutside(); // others look at the account, too
    const last = this.held.pop() as Held;
    if (index < this.held.length) this.held[index] = last;
  }

  keep(index: number): void {
    const held = this.held[index] as Held;
    this.allocator.keep(held.ref);
    meetOutside();
    held.kept = true;
  }

  verifyBytes({ ref, mark, sizeBytes }: Held): void {
    const isWhole = isFull(bytesOf(this.allocator, ref, sizeBytes), mark);
    if (!isWhole) throw new Error(`the bytes of ${ref} were overwritten`);
  }

  isWiped({ ref, sizeBytes }: Held): boolean {
    return isFull(bytesOf(this.allocator, ref, sizeBytes), 0);
  }

  /** Everything held is live as it was allocated, nothing else is, and every invariant holds. */
  verify(): void {
    assert.deepEqual(this.allocator.check(), []);
    const walked = new Map<Ref, string>();
    this.allocator.walk((block) => {
      walked.set(block.ref, `${block.kind} ${block.sizeBytes} ${block.kept} ${block.live}`);
    });
    const expected = new Map(
      this.held.map(({ ref, kind, sizeBytes, kept }) => [ref, `${kind} ${sizeBytes} ${kept} true`]),
    );
    assert.deepEqual(walked, expected);
    for (const held of this.held) this.verifyBytes(held);
    this.verifyStats();
  }

  verifyStats(): void {
    const stats = this.allocator.stats();
    for (const kind of kinds.keys()) {
      const ofKind = this.held.filter((held) => held.kind === kind);
      const share = stats.kinds[kind];
      assert.equal(share?.liveBlocks, ofKind.length);
      const liveBytes = ofKind.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      assert.equal(share?.liveBytes, liveBytes);
    }
    assert.equal(stats.metadataBytes + stats.usedBytes + stats.freeBytes, stats.reservedBytes);
    assert.equal(stats.allocations - stats.frees, this.held.length);
  }

  freeAll(): void {
    while (this.held.length > 0) this.free(this.held.length - 1);
  }
}
