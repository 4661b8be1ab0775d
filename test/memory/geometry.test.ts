import { describe, expect, it } from 'vitest';
import {
  geometryFor,
  maxSegments,
  nextSegmentBytes,
  roundCapacity,
} from '../../src/memory/geometry.ts';
import { codeOf, mib } from './support/regions.ts';

const gib = 2 ** 30;

describe('geometryFor', () => {
  it.each([
    // capacity, stride, slab
    [4 * mib, 4 * mib, 14],
    [4 * mib + 1, 4 * mib, 14],
    [5 * mib, 8 * mib, 14],
    [8 * mib, 8 * mib, 14],
    [9 * mib, 8 * mib, 14],
    [16 * mib, 8 * mib, 15],
    [20 * mib, 16 * mib, 15],
    [64 * mib, 32 * mib, 16],
    [256 * mib, 128 * mib, 16],
    [2 * gib, gib, 16],
    [128 * gib, gib, 16],
  ])(
    'cuts %i bytes into segments of %i and slabs of 2^%i',
    (capacityBytes, segmentBytes, slabShift) => {
      const geometry = geometryFor({ capacityBytes });
      expect(geometry).toEqual({
        capacityBytes: capacityBytes - (capacityBytes % 65_536),
        segmentBytes,
        segmentShift: Math.log2(segmentBytes),
        slabShift,
      });
    },
  );

  it('takes the segment size that is given, within its limits', () => {
    expect(geometryFor({ capacityBytes: 64 * mib, segmentBytes: 4 * mib }).segmentShift).toBe(22);
    for (const segmentBytes of [0, -1, 2 * mib, 6 * mib, 2 * gib, Number.NaN]) {
      expect(codeOf(() => geometryFor({ capacityBytes: 64 * mib, segmentBytes }))).toBe(
        'invalid_argument',
      );
    }
  });

  it('refuses capacities outside 4 MiB to 128 GiB', () => {
    for (const bytes of [0, -1, 4 * mib - 1, 128 * gib + 1, Infinity, Number.NaN])
      expect(codeOf(() => roundCapacity(bytes))).toBe('invalid_argument');
  });
});

describe('nextSegmentBytes', () => {
  it('fills the capacity with whole slabs and leaves a remnant of fewer than 16', () => {
    expect(nextSegmentBytes(20 * mib, 0, 24, 15)).toBe(16 * mib);
    expect(nextSegmentBytes(20 * mib, 16 * mib, 24, 15)).toBe(4 * mib);
    expect(nextSegmentBytes(20 * mib, 20 * mib, 24, 15)).toBe(0);
    expect(nextSegmentBytes(20 * mib, 24 * mib, 24, 15)).toBe(0);
    expect(nextSegmentBytes(16 * mib + 16 * 32_768, 16 * mib, 24, 15)).toBe(16 * 32_768);
    expect(nextSegmentBytes(16 * mib + 16 * 32_768 - 1, 16 * mib, 24, 15)).toBe(0);
  });

  it('numbers 128 GiB in all', () => {
    expect([maxSegments(22), maxSegments(30)]).toEqual([32_768, 128]);
  });
});
