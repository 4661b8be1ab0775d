/** Cenote's allocator as a heap: all checks and counters on, as always. */

import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAllocator,
  openAllocator,
  type PoolAllocator,
} from '../../../src/alloc/allocator.ts';
import { classBytesMax } from '../../../src/alloc/classes.ts';
import { kindOf } from '../../../src/alloc/kind.ts';
import { freshIdentity } from '../../../src/memory/identity.ts';
import { openMappedRegion } from '../../../src/memory/mapped.ts';
import {
  granuleShift,
  pageBytes,
  type Region,
  type RegionHandle,
  type Segment,
} from '../../../src/memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../../../src/memory/shared.ts';
import {
  type Heap,
  type HeapOptions,
  type Memory,
  type Reserved,
  type Slots,
  type Source,
  touchEveryPage,
} from './heap.ts';
import { lockWords, sourceOf, type Variant } from './variants.ts';

interface Place {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** Segments grow while we run; most is in the first, which stays as it is. */
class Segments implements Memory<number> {
  declare private readonly firstEnd: number;
  /** Signed: V8 looks at each use whether a Uint8Array still has the shape that it had, which those are that Buffer extends. */
  declare private readonly first: Int8Array;
  declare private readonly region: Region;

  constructor(region: Region) {
    const { bytes, sizeBytes } = region.segments[0] as Segment;
    this.region = region;
    this.firstEnd = sizeBytes >> granuleShift;
    this.first = new Int8Array(bytes.buffer, bytes.byteOffset, sizeBytes);
  }

  touch(ref: number): void {
    if (ref < this.firstEnd) this.first[ref << granuleShift] = 1;
    else this.touchElsewhere(ref);
  }

  private touchElsewhere(ref: number): void {
    const { bytes, at } = placeOf(this.region, ref);
    bytes[at] = 1;
  }
}

/** The segment of a block, and where in it the block begins. */
function placeOf(region: Region, ref: number): Place {
  const shift = region.segmentShift - granuleShift;
  const number = ref >> shift;
  if (number >= region.segments.length) region.refresh();
  const { bytes } = region.segments[number] as Segment;
  return { bytes, at: (ref & ((1 << shift) - 1)) << granuleShift };
}

export class OurHeap implements Heap<number> {
  readonly none = 0;
  readonly isCollected = false;
  readonly kind: number = kindOf('blob');
  readonly allocator: PoolAllocator;
  readonly source: Source<number>;
  readonly memory: Memory<number>;
  readonly #folder: string | undefined;
  #isCompacted = false;

  constructor(allocator: PoolAllocator, source: Source<number>, folder?: string) {
    this.allocator = allocator;
    this.source = source;
    this.#folder = folder;
    this.memory = new Segments(allocator.region);
  }

  touchPages(ref: number, sizeBytes: number): void {
    const { bytes, at } = this.bytesOf(ref);
    touchEveryPage(bytes, at, sizeBytes);
  }

  bytesOf(ref: number): Place {
    return placeOf(this.allocator.region, ref);
  }

  usableBytes(ref: number): number {
    return this.allocator.sizeOf(ref);
  }

  slots(count: number): Int32Array {
    return new Int32Array(count);
  }

  /** Runs and extents move to where memory is fullest, from the emptier end on, until none can; then free runs go back to the system. */
  compact(slots: Slots<number>): void {
    const { allocator } = this;
    for (let moved = 1; moved > 0;) {
      moved = 0;
      allocator.flush();
      for (const k of this.#runsIn(slots)) {
        const from = slots[k] as number;
        const to = allocator.allocateNearer(from);
        if (to === 0) continue;
        const source = this.bytesOf(from);
        const target = this.bytesOf(to);
        const bytes = source.bytes.subarray(source.at, source.at + allocator.sizeOf(from));
        target.bytes.set(bytes, target.at);
        allocator.free(from, this.kind);
        slots[k] = to;
        moved += 1;
      }
    }
    allocator.flush();
    allocator.giveBack(pageBytes);
    this.#isCompacted = true;
  }

  /** Slots of blocks that are no slab's, in the order of their places. */
  #runsIn(slots: Slots<number>): number[] {
    const found: number[] = [];
    for (let k = 0; k < slots.length; k += 1) {
      const ref = slots[k] as number;
      if (ref !== 0 && this.allocator.sizeOf(ref) > classBytesMax) found.push(k);
    }
    return found.sort((a, b) => (slots[a] as number) - (slots[b] as number));
  }

  /**
   * Resident pages of the pool's files where it has any, as long as nothing was given back: that takes huge pages apart, and what is left of them is
   * resident when it is touched again. From then on all that the files take. Without files: all segments.
   */
  reserved(): Reserved {
    if (this.#folder === undefined) {
      return { bytes: this.allocator.stats().reservedBytes, how: 'segments' };
    }
    if (this.#isCompacted) return { bytes: filesIn(this.#folder), how: 'all of its files' };
    const maps = readFileSync('/proc/self/smaps', 'latin1');
    return { bytes: residentOf(maps, this.#folder), how: 'resident pages of the pool' };
  }
}

/** Memory that the file system has allocated for files in `folder`. */
function filesIn(folder: string): number {
  const blocks = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => statSync(join(folder, name)).blocks);
  return 512 * blocks.reduce((sum, count) => sum + count, 0);
}

/** Bytes of pages of files in `folder` that are in memory: each page is shared out among its mappings, one per thread. */
export function residentOf(smaps: string, folder: string): number {
  let isOurs = false;
  let kib = 0;
  for (const line of smaps.split('\n')) {
    const [first = ''] = line.split(' ', 1);
    if (!first.endsWith(':')) isOurs = line.includes(folder);
    else if (isOurs && first === 'Pss:') kib += Number(/\d+/.exec(line)?.[0] ?? 0);
  }
  return kib * 1024;
}

/** @param locks for the variants that take locks */
export function openOurs(
  options: HeapOptions,
  variant?: Variant,
  locks: Int32Array = new Int32Array(lockWords),
): OurHeap {
  const { capacityBytes, segmentBytes } = options;
  const regionOptions = { capacityBytes, segmentBytes, ...freshIdentity() };
  const folder = options.folder === undefined ? undefined : join(options.folder, 'pool');
  const region =
    folder === undefined
      ? createSharedRegion(regionOptions)
      : openMappedRegion(folder, 'own', regionOptions);
  const allocator = createAllocator(region);
  return new OurHeap(allocator, sourceOf(allocator, variant, locks), folder);
}

/** The heap of another thread over the same region. */
export function joinOurs(
  handle: RegionHandle,
  variant: Variant | undefined,
  locks: Int32Array,
): OurHeap {
  const region =
    handle.type === 'shared' ? attachSharedRegion(handle) : openMappedRegion(handle.path, 'join');
  const allocator = openAllocator(region);
  return new OurHeap(allocator, sourceOf(allocator, variant, locks));
}
