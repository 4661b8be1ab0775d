import { describe, expect, it, vi } from 'vitest';
import { firstSuperblock } from '../../src/memory/first-superblock.ts';
import { superblockBByte } from '../../src/memory/layout.ts';
import {
  encodeSuperblock,
  superblockField,
  superblockWords,
} from '../../src/memory/superblock-codec.ts';
import {
  isUnchanged,
  markOf,
  mustReadOnly,
  readSuperblock,
  superblockPrefixBytes,
  writeSuperblock,
} from '../../src/memory/superblock.ts';
import type { Superblock } from '../../src/memory/superblock.ts';
import { crc32 } from '../../src/base/checksum.ts';
import { rounds, seed } from '../support/seed.ts';
import { crashesAt } from './support/counted-words.ts';
import { codeOf, identity, mib } from './support/regions.ts';
import { fc } from '../support/properties.ts';

vi.mock('../../src/memory/words.ts', async (original) => {
  const { countedWords } = await import('./support/counted-words.ts');
  return countedWords(await original<object>());
});

const first = firstSuperblock({ capacityBytes: 64 * mib, ...identity });
const copyB = superblockBByte >> 2;

function emptyPrefix(): Int32Array {
  return new Int32Array(superblockPrefixBytes >> 2);
}

/** A prefix that holds `block` in both copies. */
function prefixOf(block: Superblock): Int32Array {
  const words = emptyPrefix();
  writeSuperblock(words, block);
  return words;
}

/** Flips bit `bit % 32` of word `bit / 32`. */
function flip(words: Int32Array, bit: number): void {
  words[bit >> 5] = (words[bit >> 5] ?? 0) ^ (1 << (bit & 31));
}

/** A prefix that holds words as copy A only, with a fitting checksum. */
function forged(change: (image: Int32Array) => void): Int32Array {
  const image = encodeSuperblock(first);
  change(image);
  image[superblockField.checksum] = crc32(
    new Uint8Array(image.buffer, 0, superblockField.checksum * 4),
  );
  const words = emptyPrefix();
  words.set(image);
  return words;
}

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const hex = (digits: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: digits, maxLength: digits })
    .map((list) => list.map((d) => d.toString(16)).join(''));

const superblocks = fc
  .record({
    compat: fc.nat().map((bits) => bits * 2 + 1),
    roCompat: fc.nat(),
    poolUuid: hex(32),
    tenantHash: hex(16),
    segmentShift: fc.integer({ min: 22, max: 30 }),
    slabShift: fc.integer({ min: 14, max: 16 }),
    segmentCount: fc.integer({ min: 1, max: 128 }),
    capacityBytes: fc.integer({ min: 4 * mib, max: 2 ** 37 }),
    ownersMax: fc.integer({ min: 1, max: 64 }),
    bootId: hex(32),
    clean: fc.boolean(),
    epoch: fc.integer({ min: 1000, max: 2 ** 31 - 1 }),
    trustedEpoch: fc.integer({ min: 0, max: 1000 }),
    hashSeedLow: word,
    hashSeedHigh: word,
    createdAtMs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    rootParts: fc.integer({ min: 0, max: 65_535 }),
    rootEntries: fc.integer({ min: 0, max: 65_535 }),
    sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  })
  .map((fields): Superblock => ({ ...first, ...fields }));

describe('superblock', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(superblocks, (block) => {
        expect(readSuperblock(prefixOf(block))).toEqual(block);
      }),
      { seed: seed(), numRuns: rounds(200, 2000) },
    );
  });

  it('survives every bit flip of either copy, and notices every bit flip of the only copy', () => {
    const words = prefixOf(first);
    for (let bit = 0; bit < superblockWords * 64; bit += 1) {
      const start = bit < superblockWords * 32 ? 0 : copyB - superblockWords;
      flip(words, start * 32 + bit);
      expect(readSuperblock(words)).toEqual(first);
      flip(words, start * 32 + bit);
    }
    words.fill(0, copyB);
    for (let bit = 0; bit < superblockWords * 32; bit += 1) {
      flip(words, bit);
      expect(codeOf(() => readSuperblock(words))).toBe(bit < 32 ? 'not_a_pool' : 'pool_corrupt');
      flip(words, bit);
    }
  });

  it.each([1, 2])(
    'holds the old or the new state after a crash at any word, write %i',
    (sequence) => {
      const before = { ...first, sequence, epoch: 7 };
      const after = { ...before, sequence: sequence + 1, epoch: 8, clean: false, rootParts: 512 };
      const seen = new Set<number>();
      for (let k = 1; ; k += 1) {
        const words = prefixOf(before);
        const crashed = crashesAt(k, () => writeSuperblock(words, after));
        const found = readSuperblock(words);
        expect([before, after]).toContainEqual(found);
        if (!crashed) break;
        seen.add(found.epoch);
        // The crash is followed by another write, torn anywhere: again old or new.
        const next = { ...found, sequence: found.sequence + 1, epoch: 9 };
        const torn = words.slice();
        crashesAt(((k * 7) % 260) + 1, () => writeSuperblock(torn, next));
        expect([found, next]).toContainEqual(readSuperblock(torn));
        writeSuperblock(words, next);
        expect(readSuperblock(words)).toEqual(next);
      }
      expect(seen).toEqual(new Set([7, 8]));
    },
  );

  it('is torn for certain, not only by its checksum', () => {
    const before = { ...first, sequence: 4 };
    const after = { ...before, sequence: 5, epoch: 8 };
    const images = [before, after].map((block) => [...encodeSuperblock(block)]);
    for (let k = 1; ; k += 1) {
      const words = prefixOf(before);
      const crashed = crashesAt(k, () => writeSuperblock(words, after));
      for (const start of [0, copyB]) {
        const copy = [...words.subarray(start, start + superblockWords)];
        if (copy[superblockField.magic] !== 0) expect(images).toContainEqual(copy);
      }
      if (!crashed) break;
    }
  });

  it('never overwrites the only sound copy first', () => {
    for (const damaged of [0, copyB]) {
      for (const sequence of [4, 5]) {
        const before = { ...first, sequence };
        for (let k = 1; ; k += 1) {
          const words = prefixOf(before);
          words.fill(-1, damaged, damaged + superblockWords);
          const after = { ...before, sequence: sequence + 1 };
          const crashed = crashesAt(k, () => writeSuperblock(words, after));
          expect([before, after]).toContainEqual(readSuperblock(words));
          if (!crashed) break;
        }
      }
    }
  });

  it('is unchanged until a commit is under way, and never when one has ended', () => {
    for (const sequence of [4, 2 ** 32 - 1, 2 ** 32]) {
      const before = { ...first, sequence };
      const after = { ...before, sequence: sequence + 1, epoch: 8 };
      for (let k = 1; ; k += 1) {
        const words = prefixOf(before);
        expect(isUnchanged(words, markOf(before))).toBe(true);
        const crashed = crashesAt(k, () => writeSuperblock(words, after));
        // A commit that nobody ended is for the heir of the region's lock, who writes both copies again.
        if (crashed) writeSuperblock(words, { ...readSuperblock(words), sequence: sequence + 2 });
        expect(isUnchanged(words, markOf(before))).toBe(false);
        if (!crashed) break;
      }
    }
  });

  it('takes the valid copy with the higher sequence', () => {
    const words = emptyPrefix();
    words.set(encodeSuperblock({ ...first, sequence: 9 }));
    words.set(encodeSuperblock({ ...first, sequence: 10, epoch: 3 }), copyB);
    expect(readSuperblock(words).epoch).toBe(3);
    words.set(encodeSuperblock({ ...first, sequence: 11, epoch: 4 }));
    expect(readSuperblock(words).epoch).toBe(4);
  });

  it('tells a stranger, damage and an unknown format apart', () => {
    expect(codeOf(() => readSuperblock(emptyPrefix()))).toBe('not_a_pool');
    const damaged = prefixOf(first);
    damaged[20] = 1;
    damaged[copyB + 20] = 1;
    expect(codeOf(() => readSuperblock(damaged))).toBe('pool_corrupt');
    expect(
      codeOf(() => readSuperblock(forged((image) => (image[superblockField.version] = 3)))),
    ).toBe('format_unsupported');
    expect(
      codeOf(() => readSuperblock(forged((image) => (image[superblockField.incompat] = 1)))),
    ).toBe('format_unsupported');
    expect(
      mustReadOnly(readSuperblock(forged((image) => (image[superblockField.roCompat] = 8)))),
    ).toBe(true);
    expect(readSuperblock(forged((image) => (image[superblockField.compat] = -1))).compat).toBe(
      2 ** 32 - 1,
    );
    expect(mustReadOnly(first)).toBe(false);
  });

  it('believes no field out of its range, whatever the checksum', () => {
    const at = superblockField;
    const lies: [number, number][] = [
      [at.segmentShift, 21],
      [at.segmentShift, 31],
      [at.slabShift, 13],
      [at.slabShift, 17],
      [at.segmentCount, 0],
      [at.segmentCount, -1],
      [at.segmentCount, 5000],
      [at.capacityBytes, 1],
      [at.capacityBytes + 1, 33],
      [at.capacityBytes + 1, -1],
      [at.ownersMax, 0],
      [at.ownersMax, 65],
      [at.epoch, -1],
      [at.trustedEpoch, 1],
      [at.createdAtMs + 1, -1],
      [at.roots, -1],
      [at.roots + 6, 2 ** 30],
      [at.sequence, 0],
      [at.sequence + 1, 2 ** 21],
    ];
    for (const [index, value] of lies) {
      expect([
        index,
        value,
        codeOf(() => readSuperblock(forged((image) => (image[index] = value)))),
      ]).toEqual([index, value, 'pool_corrupt']);
    }
  });

  it('writes no field out of its range', () => {
    const words = prefixOf(first);
    const bad: Partial<Superblock>[] = [
      { epoch: -1 },
      { epoch: 2 ** 31 },
      { epoch: 1.5 },
      { trustedEpoch: 1 },
      { capacityBytes: 0 },
      { capacityBytes: Number.NaN },
      { rootTags: -64 },
      { rootTags: 2 ** 30 },
      { poolUuid: 'A'.repeat(32) },
      { bootId: '' },
      { sequence: 2 ** 53 },
    ];
    for (const change of bad) {
      expect([change, codeOf(() => writeSuperblock(words, { ...first, ...change }))]).toEqual([
        change,
        'invalid_argument',
      ]);
      expect(readSuperblock(words)).toEqual(first);
    }
  });
});
