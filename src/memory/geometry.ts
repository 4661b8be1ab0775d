/** How a capacity is cut into segments and slabs. */

import { show } from '../base/show.ts';
import { fail } from '../errors.ts';
import { granuleShift } from './region.ts';

const mib = 2 ** 20;

export const minCapacityBytes: number = 4 * mib;
export const maxCapacityBytes: number = 128 * 2 ** 30;
/** Capacities are multiples of this: the largest slab. */
export const capacityStepBytes: number = 64 * 1024;

export const minSegmentShift = 22;
export const maxSegmentShift = 30;
export const minSlabShift = 14;
export const maxSlabShift = 16;

/** A pool up to this capacity is one segment. */
const oneSegmentBytes = 8 * mib;

/**
 * A further segment has at least this many slabs. A smaller one would be mostly its own headers, and no large value would fit
 * into it.
 */
export const minSegmentSlabs = 16;

export interface Geometry {
  /** Rounded down to `capacityStepBytes`. */
  readonly capacityBytes: number;
  /** log2 of the address stride of segments. */
  readonly segmentShift: number;
  /** The stride. A segment is as large, or smaller when capacity allows no more. */
  readonly segmentBytes: number;
  /** log2 of the bytes in a slab. */
  readonly slabShift: number;
}

/** Rounds a capacity down to its step. @throws invalid_argument outside 4 MiB…128 GiB */
export function roundCapacity(capacityBytes: number, name = 'capacityBytes'): number {
  if (
    !Number.isFinite(capacityBytes) ||
    capacityBytes < minCapacityBytes ||
    capacityBytes > maxCapacityBytes
  ) {
    fail(
      'invalid_argument',
      `${name} must be ${minCapacityBytes} (4 MiB) to ${maxCapacityBytes} (128 GiB), not ${show(capacityBytes)}`,
    );
  }
  return Math.floor(capacityBytes / capacityStepBytes) * capacityStepBytes;
}

/** log2 of the least power of two that is at least `bytes`, within the limits of a segment. */
function shiftFor(bytes: number): number {
  let shift = minSegmentShift;
  while (shift < maxSegmentShift && 2 ** shift < bytes) shift += 1;
  return shift;
}

function explicitShift(segmentBytes: number): number {
  const shift = typeof segmentBytes === 'number' ? Math.log2(segmentBytes) : Number.NaN;
  if (!Number.isInteger(shift) || shift < minSegmentShift || shift > maxSegmentShift) {
    fail(
      'invalid_argument',
      `segmentBytes must be a power of two from 4 MiB to 1 GiB, not ${show(segmentBytes)}`,
    );
  }
  return shift;
}

/**
 * The geometry of a new pool. Small pools get small slabs, so that five kinds have room in 4 MiB.
 * @throws invalid_argument
 */
export function geometryFor(options: {
  readonly capacityBytes: number;
  readonly segmentBytes?: number | undefined;
}): Geometry {
  const capacityBytes = roundCapacity(options.capacityBytes);
  const wanted = capacityBytes <= oneSegmentBytes ? capacityBytes : capacityBytes / 2;
  const segmentShift =
    options.segmentBytes === undefined ? shiftFor(wanted) : explicitShift(options.segmentBytes);
  const slabShift = capacityBytes >= 64 * mib ? 16 : capacityBytes >= 16 * mib ? 15 : 14;
  return { capacityBytes, segmentShift, segmentBytes: 2 ** segmentShift, slabShift };
}

/** Segments that references can number: 2^31 granules in all. */
export function maxSegments(segmentShift: number): number {
  return 2 ** (31 + granuleShift - segmentShift);
}

/**
 * Bytes of the next segment when `usedBytes` are in segments already; 0 when capacity allows no further one.
 * Whole slabs, at least `minSegmentSlabs`.
 */
export function nextSegmentBytes(
  capacityBytes: number,
  usedBytes: number,
  segmentShift: number,
  slabShift: number,
): number {
  const slabBytes = 2 ** slabShift;
  const sizeBytes =
    Math.floor(Math.min(2 ** segmentShift, capacityBytes - usedBytes) / slabBytes) * slabBytes;
  return sizeBytes < minSegmentSlabs * slabBytes ? 0 : sizeBytes;
}
