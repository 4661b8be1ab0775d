/** What every allocator does, over every sort of region, with owners that take turns: one suite for all of them. */

import { beforeEach, describe, expect, test } from 'vitest';
import type { PoolAllocator } from '../../src/alloc/allocator.ts';
import { classBytes, classCount, usableBytes } from '../../src/alloc/classes.ts';
import { kinds } from '../../src/alloc/kind.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { Ref } from '../../src/memory/region.ts';
import { codeOf } from '../memory/support/regions.ts';
import { rounds, seed } from '../support/seed.ts';
import { bytesOf, Oracle } from './support/oracle.ts';
import { Random } from './support/random.ts';
import type { House, Subject } from './support/subjects.ts';

const page = 4096;
const mib = 2 ** 20;
const allZeroed = 2 ** kinds.length - 1;

/** Both ends of every class of blocks, and of what runs and extents begin and end with. */
const boundaries: readonly number[] = [
  ...Array.from({ length: classCount }, (_, sizeClass) => classBytes(sizeClass)).flatMap(
    (sizeBytes) => [sizeBytes - 63, sizeBytes, sizeBytes + 1],
  ),
  ...[2, 4, 16, 32, 33, 255, 256].flatMap((pages) => [pages * page - 1, pages * page]),
  mib + 1,
  257 * page,
];

/** Owners in turn, and an account of what they hold together. */
class Turns {
  readonly oracle: Oracle;
  readonly #owners: readonly PoolAllocator[];
  #turn = 0;

  constructor(owners: readonly PoolAllocator[]) {
    this.#owners = owners;
    this.oracle = new Oracle(owners[0] as PoolAllocator);
  }

  /** The owner whose turn it is. */
  get next(): PoolAllocator {
    const owner = this.#owners[this.#turn++ % this.#owners.length] as PoolAllocator;
    this.oracle.allocator = owner;
    return owner;
  }

  flush(): void {
    for (const owner of this.#owners) owner.flush();
  }

  allocate(kind: number, sizeBytes: number): Ref {
    void this.next;
    return this.oracle.allocate(kind, sizeBytes)?.ref ?? 0;
  }

  /** Frees what stands at `index` of what is held. */
  free(index: number): void {
    void this.next;
    this.oracle.free(index);
  }

  freeAll(random: Random): void {
    while (this.oracle.held.length > 0) this.free(random.below(this.oracle.held.length));
  }

  /** As many as fit. */
  fill(kind: number, sizeBytes: number): void {
    while (this.allocate(kind, sizeBytes) !== 0);
  }

  /** What is the same again when everything that was done has been undone. */
  quiet(): unknown {
    this.flush();
    return { ...this.next.stats(), allocations: 0, frees: 0, failures: 0 };
  }

  churn(random: Random, operations: number, mostBytes: number): void {
    for (let operation = 0; operation < operations; operation++) {
      const { held } = this.oracle;
      if (held.length === 0 || random.below(100) < 55) {
        const kind = random.below(kinds.length);
        if (this.allocate(kind, random.sizeBytes(mostBytes)) !== 0) continue;
        for (let i = 0; i < 20 && held.length > 0; i++) this.free(random.below(held.length));
      } else this.free(random.below(held.length));
    }
  }
}

export function conforms(subject: Subject): void {
  describe(subject.name, () => {
    let house: House;
    let turns: Turns;

    beforeEach(() => {
      house = subject.open();
      turns = new Turns(house.owners);
    });

    test('gives at least what is asked for, aligned, at both ends of every class', () => {
      for (const sizeBytes of boundaries) {
        const kind = sizeBytes % kinds.length;
        const ref = turns.allocate(kind, sizeBytes);
        expect(ref).toBeGreaterThan(0);
        expect(turns.next.sizeOf(ref)).toBe(usableBytes(sizeBytes));
        if (sizeBytes <= page) continue;
        expect((ref * 64) % page).toBe(0);
        turns.free(turns.oracle.held.length - 1);
      }
      turns.oracle.verify();
    });

    test('knows kind, tier and size of what it gave', () => {
      const sizes = [1, 64, 65, 4096, 4097, mib, mib + 1];
      for (const [at, sizeBytes] of sizes.entries()) {
        const kind = at % kinds.length;
        const ref = turns.allocate(kind, sizeBytes);
        expect(turns.next.kindOf(ref)).toBe(kind);
        expect(turns.next.isLive(ref)).toBe(true);
      }
      const tiers: string[] = [];
      turns.next.walk(({ tier, sizeBytes, kept, live }) => {
        tiers.push(tier);
        const expected = sizeBytes <= page ? 'l1' : sizeBytes <= mib ? 'l2' : 'l3';
        expect([tier, kept, live]).toEqual([expected, false, true]);
      });
      expect(tiers.toSorted()).toEqual(['l1', 'l1', 'l1', 'l1', 'l2', 'l2', 'l3']);
    });

    test('takes what is freed for what comes', () => {
      const random = new Random(seed());
      turns.churn(random, 300, 100_000);
      turns.freeAll(random);
      const { usedBytes } = turns.next.stats();
      for (const sizeBytes of [64, 1000, 4096, 10_000, 500_000]) {
        for (let round = 0; round < 300; round++) {
          turns.allocate(2, sizeBytes);
          turns.free(0);
        }
      }
      turns.flush();
      expect(turns.next.stats().usedBytes).toBeLessThanOrEqual(usedBytes);
      expect(turns.next.check()).toEqual([]);
    });

    test('walk, check and statistics agree with what is held, whatever is done', () => {
      const random = new Random(seed() + 1);
      for (let round = 0; round < rounds(4, 40); round++) {
        turns.churn(random, 250, 300_000);
        for (let index = 0; index < turns.oracle.held.length; index += 3) {
          void turns.next;
          turns.oracle.keep(index);
        }
        turns.oracle.verify();
      }
      turns.freeAll(random);
      turns.oracle.verify();
    });

    test('is empty again when everything is freed, in whatever order', () => {
      const random = new Random(seed() + 2);
      const one = turns.quiet();
      turns.churn(random, 400, 40_000);
      turns.freeAll(random);
      turns.flush();
      for (const owner of house.owners) owner.dropEmptySegments();
      expect(turns.quiet()).toEqual(one);
      expect(turns.next.check()).toEqual([]);
    });

    test('gives 0 when it is exhausted, and nothing changes', () => {
      for (const sizeBytes of [mib, 100_000, 5000, 4096, 300, 64]) turns.fill(3, sizeBytes);
      const before = turns.quiet();
      for (const sizeBytes of [64, 65, 4096, 4097, 300_000, mib]) {
        for (const kind of kinds.keys()) expect(turns.next.allocate(kind, sizeBytes)).toBe(0);
      }
      expect(turns.quiet()).toEqual(before);
      turns.oracle.verify();
      const index = turns.oracle.held.findIndex(({ sizeBytes }) => sizeBytes === mib);
      turns.free(index);
      expect(turns.allocate(4, mib)).toBeGreaterThan(0);
      turns.oracle.verify();
    });

    test('refuses what is out of order, and nothing changes', () => {
      const small = turns.allocate(1, 150);
      turns.allocate(1, 150); // each owner keeps a slab of that class
      const run = turns.allocate(2, 5 * page);
      const extent = turns.allocate(3, 300 * page);
      const gone = [turns.allocate(1, 150), turns.allocate(2, 5 * page)] as const;
      turns.free(5);
      turns.free(4);
      const before = turns.quiet();
      const misuses: [ErrorCode, (of: PoolAllocator) => unknown][] = [
        ['double_free', (of) => of.free(gone[0], 1)],
        ['double_free', (of) => of.free(gone[1], 2)],
        ['foreign_reference', (of) => of.free(small + 1, 1)],
        ['foreign_reference', (of) => of.free(run + 1, 2)],
        ['foreign_reference', (of) => of.free(run + 64, 2)],
        ['foreign_reference', (of) => of.free(extent + 64, 3)],
        ['foreign_reference', (of) => of.free(0, 0)],
        ['foreign_reference', (of) => of.free(-small, 1)],
        ['foreign_reference', (of) => of.free(2 ** 31 - 1, 1)],
        ['foreign_reference', (of) => of.keep(gone[0])],
        ['foreign_reference', (of) => of.sizeOf(gone[1])],
        ['wrong_kind', (of) => of.free(small, 2)],
        ['wrong_kind', (of) => of.free(run, 1)],
        ['wrong_kind', (of) => of.free(extent, 0)],
        ['invalid_argument', (of) => of.allocate(0, 0)],
        ['invalid_argument', (of) => of.allocate(kinds.length, 64)],
        ['invalid_argument', (of) => of.allocate(1, 1.5)],
        ['value_too_large', (of) => of.allocate(1, of.maxAllocationBytes + 1)],
      ];
      for (const [code, misuse] of misuses) {
        for (const owner of house.owners) expect(codeOf(() => misuse(owner))).toBe(code);
      }
      expect(turns.quiet()).toEqual(before);
      turns.oracle.verify();
    });

    test('grows by segments up to its capacity, and gives them back', () => {
      const { region } = turns.next;
      expect(region.segments.length).toBe(1);
      turns.fill(2, 400_000);
      expect(region.segments.length).toBe(subject.segmentsMax);
      turns.oracle.verify();
      turns.freeAll(new Random(seed() + 3));
      let dropped = 0;
      for (const owner of house.owners) dropped += owner.dropEmptySegments();
      expect(dropped).toBe(subject.segmentsMax - 1);
      expect(turns.next.check()).toEqual([]);
      turns.fill(2, 400_000);
      expect(region.segments.length).toBe(subject.segmentsMax);
      turns.oracle.verify();
    });

    test('frees what lies in a segment that went and came again', () => {
      const [owner, other] = [house.owners[0], house.owners.at(-1)] as PoolAllocator[];
      if (owner === undefined || other === undefined) throw new Error('no owners');
      const segments = Math.min(2, subject.segmentsMax);
      const intoLast = (): Ref[] => {
        const refs: Ref[] = [];
        do refs.push(owner.allocate(1, page));
        while (refs.at(-1) !== 0 && owner.region.segments.length < segments);
        expect(owner.region.segments.length).toBe(segments);
        return refs;
      };
      const refs = intoLast();
      expect(other.isLive(refs.at(-1) as Ref)).toBe(true);
      for (const ref of refs) owner.free(ref, 1);
      owner.flush();
      expect(owner.dropEmptySegments()).toBe(segments - 1);
      for (const ref of intoLast()) other.free(ref, 1);
      for (const each of house.owners) {
        each.flush();
        expect(each.check()).toEqual([]);
      }
      expect(owner.stats().kinds[1]).toMatchObject({ liveBlocks: 0 });
    });

    test('stays below its limit', () => {
      for (const owner of house.owners) owner.setLimitBytes(mib);
      turns.fill(1, 3000);
      turns.fill(3, 5000);
      turns.fill(3, page);
      expect(turns.next.stats().usedBytes).toBeLessThanOrEqual(mib);
      expect(turns.next.stats().usedBytes).toBeGreaterThan(mib - 16 * page);
      expect(turns.next.region.segments.length).toBe(1);
      for (const owner of house.owners) owner.setLimitBytes(Infinity);
      expect(turns.allocate(3, 100_000)).toBeGreaterThan(0);
      turns.oracle.verify();
    });

    test('zeroes what is freed where it was told to, and only that', () => {
      const zeroing = new Turns(subject.open({ zeroKinds: allZeroed ^ 1 }).owners);
      for (const sizeBytes of [64, 1000, 4096, 9000, 400_000]) {
        for (const kind of [0, 3]) {
          const refs = [1, 2, 3].map(() => zeroing.allocate(kind, sizeBytes));
          const [left, ref, right] = refs as [Ref, Ref, Ref];
          const bytes = [left, ref, right].map((each) => {
            return bytesOf(zeroing.next, each, usableBytes(sizeBytes)).fill(0xa5);
          });
          zeroing.next.free(ref, kind);
          const filled = bytes.map((each) => each.every((byte) => byte === 0xa5));
          expect(filled).toEqual([true, kind === 0, true]);
          if (kind !== 0) expect(bytes[1]?.every((byte) => byte === 0)).toBe(true);
        }
      }
    });

    test('has after another opening what was kept and what was not', () => {
      if (house.reopen === undefined) return;
      const random = new Random(seed() + 4);
      turns.churn(random, 400, 100_000);
      for (let index = 0; index < turns.oracle.held.length; index += 2) turns.oracle.keep(index);
      const [reopened] = house.reopen().owners;
      turns.oracle.allocator = reopened as PoolAllocator;
      turns.oracle.verify();
      turns.oracle.freeAll();
      expect(reopened?.check()).toEqual([]);
    });
  });
}
