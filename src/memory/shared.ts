/**
 * Regions of SharedArrayBuffers: for the threads of one process, with no dependency.
 *
 * Every segment that maxCapacityBytes may ever need is created at the start and travels in the handle: a buffer that is untouched costs address
 * space, no memory. The last thread that forgets a buffer frees it; closing does not reach into other threads.
 */

import { fail } from '../errors.ts';
import { BackedRegion } from './backed-region.ts';
import { settled } from './backing.ts';
import type { Backing, Membership, Range } from './backing.ts';
import { firstSegmentBytes, firstSuperblock } from './first-superblock.ts';
import { maxSegmentShift, maxSegments, minSegmentShift, roundCapacity } from './geometry.ts';
import { preferHuge } from './huge-pages.ts';
import { defaultPatience } from './lock.ts';
import type { Patience } from './lock.ts';
import { placeSegment } from './numa.ts';
import { optionalCalls } from './optional-os.ts';
import { claimOwnerSlot, takeOwnerSlot } from './owners.ts';
import { thisOwner } from './process.ts';
import { granuleBytes, pageBytes, segmentOver, wordsOf } from './region.ts';
import type { Region, RegionHandle, RegionOptions, Segment } from './region.ts';
import { readSegmentSize, wipeBuffer, writeSegmentHeader } from './segment-header.ts';
import { readSuperblock, writeSuperblock } from './superblock.ts';
import type { Superblock } from './superblock.ts';
import { isWasmMemory } from './wasm-words.ts';
import { letGoOfOrAt, newWasmMemory, type OrAt, orAtOf, type Words } from './words.ts';

type SharedHandle = Extract<RegionHandle, { type: 'shared' }>;

/**
 * Spare buffers of a region whose capacity may be raised: each raise can leave one segment smaller than its stride, so that more
 * segments are needed than maxCapacityBytes / stride.
 */
const spareBuffers = 4;

/**
 * Bytes of a buffer before its segment. glibc hands out large memory, from 32 MiB on in any case, from the 16th byte of a page on: with these a segment
 * begins where a cache line does, and what is aligned in it is so in memory. Where they do not, lines are shifted, which is slower and no less right.
 */
const leadBytes: number = process.platform === 'linux' ? granuleBytes - 16 : 0;

/** Whether a buffer has the bytes of a segment, and before them none, as a memory of WebAssembly, or those. */
function isOneSegment({ byteLength }: SharedArrayBuffer, segmentShift: number): boolean {
  return byteLength === 2 ** segmentShift || byteLength === 2 ** segmentShift + leadBytes;
}

/** A segment for who creates the region, with the fast way to copy into it where koffi is there. */
function writtenSegment(
  buffer: SharedArrayBuffer,
  number: number,
  sizeBytes: number,
  orAt: OrAt | undefined,
): Segment {
  const segment = segmentOver(buffer, number, sizeBytes, orAt);
  const os = optionalCalls();
  return os === undefined ? segment : { ...segment, copies: os.alias(segment.bytes) };
}

/** Gives pages back to the system, those that lie in `range` as a whole: not all buffers begin at a page. @returns bytes that were in memory */
function forgetPages({ bytes }: Segment, range: Range): number {
  const os = optionalCalls();
  if (os === undefined) return 0;
  const address = os.addressOf(bytes);
  const from = Math.ceil((address + range.fromByte) / pageBytes) * pageBytes;
  const to = Math.floor((address + range.fromByte + range.sizeBytes) / pageBytes) * pageBytes;
  if (to <= from) return 0;
  const residentPages = os.residentPages(from, to - from);
  return os.forget(from, to - from) ? residentPages * pageBytes : 0;
}

class SharedBacking implements Backing {
  readonly handle: SharedHandle;
  readonly #make: typeof writtenSegment;
  readonly #orAt: OrAt | undefined;

  /** `make` makes a segment of a buffer. */
  constructor(handle: SharedHandle, make: typeof writtenSegment) {
    this.handle = handle;
    this.#make = make;
    this.#orAt = handle.memory === undefined ? undefined : orAtOf(handle.memory);
  }

  /** In another thread the first buffer and the memory are two copies: with `orAt` goes what that works on. */
  #bufferOf(number: number): SharedArrayBuffer | undefined {
    const { buffers, memory } = this.handle;
    return number === 0 && this.#orAt !== undefined ? memory?.buffer : buffers[number];
  }

  #over(buffer: SharedArrayBuffer, number: number, sizeBytes: number): Segment {
    return this.#make(buffer, number, sizeBytes, number === 0 ? this.#orAt : undefined);
  }

  /** Nobody has a segment of it. */
  letGo(): void {
    if (this.#orAt !== undefined) letGoOfOrAt();
  }

  create(number: number, sizeBytes: number): Segment | undefined {
    const buffer = this.#bufferOf(number);
    if (buffer === undefined) return undefined;
    const segment = this.#over(buffer, number, sizeBytes);
    placeSegment(segment);
    preferHuge(segment, optionalCalls());
    wipeBuffer(buffer, sizeBytes);
    return segment;
  }

  discard(): void {} // the buffer stays in every handle; create zeroes it before its next use

  open(number: number, pool: Superblock): Segment {
    const buffer = this.#bufferOf(number);
    if (buffer === undefined)
      return fail(
        'pool_corrupt',
        `the superblock counts segment ${number}, the handle has ${this.handle.buffers.length}`,
      );
    return this.#over(buffer, number, readSegmentSize(wordsOf(buffer), number, pool));
  }

  isCurrent(segment: Segment, pool: Superblock): boolean {
    return readSegmentSize(segment.words, segment.number, pool) === segment.sizeBytes;
  }

  giveBack(segment: Segment, range: Range): number {
    return forgetPages(segment, range);
  }

  takeAgain(): boolean {
    return true; // the first touch takes them, as it did before
  }

  release(): void {} // freed by the collector with the last view, in whatever thread that is

  remove(): void {} // likewise

  close(): void {} // likewise

  isHeld(): undefined {} // the state of a slot says it: see Region.threadExited
}

function createHandle(block: Superblock, maxBytes: number): SharedHandle {
  const { segmentShift } = block;
  const stride = 2 ** segmentShift;
  const spare = maxBytes > block.capacityBytes ? spareBuffers : 0;
  const count = Math.min(Math.ceil(maxBytes / stride) + spare, maxSegments(segmentShift));
  try {
    const memory = newWasmMemory(stride);
    const bytes = stride + leadBytes;
    const buffers = Array.from({ length: count }, (_, number) =>
      number === 0 && memory !== undefined ? memory.buffer : new SharedArrayBuffer(bytes),
    );
    const handle = { type: 'shared', buffers, segmentShift } as const;
    return memory === undefined ? handle : { ...handle, memory };
  } catch (cause) {
    return fail(
      'memory_unavailable',
      `cannot reserve ${count} shared buffers of ${stride} bytes`,
      cause,
    );
  }
}

/**
 * A new region of shared memory; this thread has slot 0. Segment 0 is all zero behind its header: preparing it is the
 * allocator's work.
 * @throws invalid_argument, memory_unavailable
 */
export function createSharedRegion(
  options: RegionOptions,
  patience: Patience = defaultPatience,
): Region {
  const block = firstSuperblock(options);
  const maxBytes = roundCapacity(
    options.maxCapacityBytes ?? options.capacityBytes,
    'maxCapacityBytes',
  );
  const backing = new SharedBacking(createHandle(block, maxBytes), writtenSegment);
  const sizeBytes = firstSegmentBytes(block);
  const segment = backing.create(0, sizeBytes) as Segment;
  writeSegmentHeader(segment.words, 0, sizeBytes, block.poolUuid);
  takeOwnerSlot(segment.words, 0, thisOwner());
  writeSuperblock(segment.words, block);
  return new BackedRegion(
    backing,
    block,
    [segment],
    { ownerSlot: 0, slotAbandoned: false, readOnly: false, patience },
    block.bootId,
  );
}

function checkHandle(handle: RegionHandle): SharedHandle {
  if (handle?.type !== 'shared' || !Array.isArray(handle.buffers) || handle.buffers.length === 0) {
    fail('invalid_argument', 'not the handle of a shared region');
  }
  const shift = handle.segmentShift;
  if (!Number.isInteger(shift) || shift < minSegmentShift || shift > maxSegmentShift) {
    fail('invalid_argument', `segmentShift of the handle is ${String(shift)}`);
  }
  const { memory } = handle;
  if (memory !== undefined && !isWasmMemory(memory, 2 ** shift)) {
    fail('invalid_argument', 'the memory of the handle is not a WebAssembly.Memory of one segment');
  }
  for (const buffer of handle.buffers) {
    if (!(buffer instanceof SharedArrayBuffer) || !isOneSegment(buffer, shift)) {
      fail('invalid_argument', 'a buffer of the handle is not a SharedArrayBuffer of one segment');
    }
  }
  return handle;
}

/**
 * Joins the region of another thread, in an owner slot of its own.
 * @throws invalid_argument for a damaged handle; too_many_owners; not_a_pool, pool_corrupt, format_unsupported
 */
export function attachSharedRegion(
  handle: RegionHandle,
  patience: Patience = defaultPatience,
): Region {
  const checked = checkHandle(handle);
  const backing = new SharedBacking(checked, segmentOver);
  try {
    return joinRegion(backing, wordsOf(checked.buffers[0] as SharedArrayBuffer), patience);
  } catch (error) {
    backing.letGo();
    throw error;
  }
}

function joinRegion(backing: SharedBacking, words: Words, patience: Patience): Region {
  const { block, segments } = settled(
    () => readSuperblock(words),
    (current) => ({ block: current, segments: openSegments(backing, current) }),
  );
  const slot = claimOwnerSlot(words, block.ownersMax, thisOwner());
  const member: Membership = { ownerSlot: slot, slotAbandoned: false, readOnly: false, patience };
  return new BackedRegion(backing, block, segments, member, block.bootId);
}

function openSegments(backing: SharedBacking, block: Superblock): Segment[] {
  const { segmentShift } = backing.handle;
  if (block.segmentShift !== segmentShift) {
    fail(
      'pool_corrupt',
      `segmentShift is ${block.segmentShift} in the superblock, ${segmentShift} in the handle`,
    );
  }
  return Array.from({ length: block.segmentCount }, (_, number) => backing.open(number, block));
}
