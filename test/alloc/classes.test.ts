/** The table of size classes, and where the parts of a segment are. */

import { describe, expect, test } from 'vitest';
import {
  classBytes,
  classBytesMax,
  classCount,
  classGranules,
  classOfGranules,
  classTable,
  pagesFor,
  usableBytes,
} from '../../src/alloc/classes.ts';
import { segmentLayout, slabShiftMax, slabShiftMin } from '../../src/alloc/layout.ts';
import { bitCount } from '../../src/base/bits.ts';

test('there are 32 classes in steps of 64, 64, 128 and 256 bytes', () => {
  const sizes = Array.from({ length: classCount }, (_, sizeClass) => classBytes(sizeClass));
  expect(sizes.slice(0, 17)).toEqual([...Array(16).keys()].map((n) => 64 * (n + 1)).concat(1152));
  expect(sizes.slice(16, 24)).toEqual([1152, 1280, 1408, 1536, 1664, 1792, 1920, 2048]);
  expect(sizes.slice(24)).toEqual([2304, 2560, 2816, 3072, 3328, 3584, 3840, 4096]);
});

test('every size has the least class that holds it; waste is below 64 B or 12.5 %', () => {
  for (let sizeBytes = 1; sizeBytes <= classBytesMax; sizeBytes++) {
    const sizeClass = classOfGranules[(sizeBytes + 63) >> 6] as number;
    expect(classBytes(sizeClass)).toBeGreaterThanOrEqual(sizeBytes);
    if (sizeClass > 0) expect(classBytes(sizeClass - 1)).toBeLessThan(sizeBytes);
    const waste = classBytes(sizeClass) - sizeBytes;
    if (sizeBytes >= 449) expect(waste / classBytes(sizeClass)).toBeLessThanOrEqual(0.125);
    else expect(waste).toBeLessThan(64);
  }
});

test('runs of more than 32 pages have eight lengths per doubling, up to 256; all others are whole pages', () => {
  const lengths = new Set<number>();
  for (let pages = 1; pages <= 300; pages++) {
    const whole = pagesFor(pages * 4096);
    const isExact = pages <= 32 || pages > 256;
    if (isExact) expect(whole).toBe(pages);
    else expect((whole - pages) / whole).toBeLessThan(0.125);
    expect(pagesFor(pages * 4096 - 4095)).toBe(whole);
    if (pages > 1) expect(usableBytes(pages * 4096)).toBe(whole * 4096);
    expect(usableBytes(whole * 4096)).toBe(whole * 4096);
    if (!isExact) lengths.add(whole);
  }
  const [from32, from64, from128] = [4, 8, 16].map((step) =>
    [9, 10, 11, 12, 13, 14, 15, 16].map((n) => n * step),
  );
  expect([...lengths]).toEqual([from32, from64, from128].flat());
});

describe.each([14, 15, 16, 17])('slabs of 2^%i bytes', (slabShift) => {
  test('have as many blocks as fit, each start at a multiple of its class', () => {
    const { blocks, starts, slabWords } = classTable(slabShift);
    expect(slabWords).toBe(2 ** slabShift / 64 / 32);
    for (let sizeClass = 0; sizeClass < classCount; sizeClass++) {
      expect(blocks[sizeClass]).toBe(Math.floor(2 ** slabShift / classBytes(sizeClass)));
      let count = 0;
      for (let word = 0; word < slabWords; word++) {
        let bits = starts[sizeClass * slabWords + word] as number;
        count += bitCount(bits);
        for (; bits !== 0; bits &= bits - 1) {
          const granule = word * 32 + 31 - Math.clz32(bits & -bits);
          expect(granule % (classGranules[sizeClass] as number)).toBe(0);
        }
      }
      expect(count).toBe(blocks[sizeClass]);
    }
  });

  test.each([2 ** 22, 2 ** 26, 2 ** 30, 2 ** 22 - 2 ** 18])(
    'in a segment of %i bytes the parts do not overlap',
    (sizeBytes) => {
      const layout = segmentLayout(sizeBytes, slabShift);
      const { pages, windows } = layout;
      expect(pages).toBe(sizeBytes / 4096);
      expect(windows).toBe(sizeBytes / 2 ** slabShift);
      const parts: [start: number, words: number][] = [
        [layout.pageTableWord, pages * 2],
        [layout.slabHeadersWord, windows * 16],
        [layout.bitsWord, (sizeBytes / 64 / 32) * 4],
        [layout.linksWord, pages * 2],
        [layout.pendingWord, pages / 32],
        [layout.dataPage * 1024, 0],
      ];
      let end = 40_960 / 4;
      for (const [start, words] of parts) {
        expect(start).toBeGreaterThanOrEqual(end);
        expect(start % 16).toBe(0);
        end = start + words;
      }
      expect((layout.dataPage * 4096) % 2 ** slabShift).toBe(0);
      expect(layout.dataPage * 4096 - (layout.pendingWord * 4 + pages / 8)).toBeLessThan(
        2 ** slabShift,
      );
    },
  );
});

test.each([slabShiftMin - 1, slabShiftMax + 1, Number.NaN])(
  'slabs of 2^%d bytes are refused',
  (shift) => {
    expect(() => segmentLayout(2 ** 22, shift)).toThrow('slabShift');
  },
);

test('a segment without room for a slab is refused', () => {
  expect(() => segmentLayout(2 ** 16, 16)).toThrow('no room');
});

test('bits are counted', () => {
  for (const word of [0, 1, -1, 0x7fffffff, -0x80000000, 0x55555555, 123_456_789]) {
    const expected = (word >>> 0).toString(2).replaceAll('0', '').length;
    expect(bitCount(word)).toBe(expected);
  }
});
