/** What every kind of region must do: one suite, run on each. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { ownerFree, ownerLive, ownerSlot, ownerWord } from '../../src/memory/owners.ts';
import type { Region, RegionOptions, Segment } from '../../src/memory/region.ts';
import { readSegmentSize } from '../../src/memory/segment-header.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';
import { readSuperblock } from '../../src/memory/superblock.ts';
import type { Superblock } from '../../src/memory/superblock.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';

interface Subject {
  readonly name: string;
  readonly create: (options?: Partial<RegionOptions>) => Region;
  readonly join: (region: Region) => Region;
}

const subjects: Subject[] = [
  {
    name: 'shared',
    create: (options) => createSharedRegion({ capacityBytes: 20 * mib, ...identity, ...options }),
    join: (region) => attachSharedRegion(region.handle),
  },
  {
    name: 'mapped',
    create: (options) =>
      openMappedRegion(join(temporaryFolder(), 'pool'), 'own', {
        capacityBytes: 20 * mib,
        ...identity,
        ...options,
      }),
    join: (region) =>
      openMappedRegion(region.handle.type === 'mapped' ? region.handle.path : '', 'join'),
  },
];

function sizes(region: Region): number[] {
  return region.segments.map((segment) => segment.sizeBytes);
}

function isZeroBehindHeader(segment: Segment): boolean {
  return segment.words.subarray(32_768 >> 2).every((word) => word === 0);
}

function nothing(): void {}

describe.each(subjects)('$name region', ({ name, create, join: joinRegion }) => {
  it('starts with one segment, all zero behind the prefix, and a superblock', () => {
    const region = create({ tenantHash: '0123456789abcdef', ownersMax: 5 });
    const first = segmentOf(region, 0);
    expect(region.superblock).toEqual({
      version: 2,
      compat: 0,
      incompat: 0,
      roCompat: 0,
      ...identity,
      tenantHash: '0123456789abcdef',
      segmentShift: 24,
      slabShift: 15,
      segmentCount: 1,
      capacityBytes: 20 * mib,
      ownersMax: 5,
      bootId: region.bootId,
      clean: true,
      epoch: 0,
      trustedEpoch: 0,
      rootParts: 0,
      rootPartsOld: 0,
      rootContexts: 0,
      rootContextsOld: 0,
      rootTags: 0,
      rootTagsOld: 0,
      rootEntries: 0,
      sequence: 1,
    });
    expect(readSuperblock(first.words)).toEqual(region.superblock);
    expect(readSegmentSize(first.words, 0, region.superblock)).toBe(16 * mib);
    expect(first.words.length * 4).toBe(16 * mib);
    expect(isZeroBehindHeader(first)).toBe(true);
    expect(region).toMatchObject({
      type: name,
      readOnly: false,
      ownerSlot: 0,
      slotAbandoned: false,
      segmentShift: 24,
      slabShift: 15,
    });
    region.close();
  });

  it('commits all fields together and shows them to others at their next refresh', () => {
    const region = create();
    const other = joinRegion(region);
    region.commit({
      clean: false,
      epoch: 3,
      trustedEpoch: 2,
      rootParts: 640,
      capacityBytes: 24 * mib,
    });
    expect(region.superblock).toMatchObject({
      clean: false,
      epoch: 3,
      trustedEpoch: 2,
      rootParts: 640,
      sequence: 2,
    });
    expect(other.superblock.sequence).toBe(1);
    other.refresh();
    expect(other.superblock).toEqual(region.superblock);
    other.close();
    region.close();
  });

  it('refuses commits that would break the region, and changes nothing', () => {
    const region = create();
    const before = region.superblock;
    const bad: Partial<Superblock>[] = [
      { segmentCount: 2 },
      { segmentShift: 25 },
      { slabShift: 16 },
      { poolUuid: '0'.repeat(32) },
      { ownersMax: 3 },
      { sequence: 9 },
      { createdAtMs: 1 },
      { hashSeedLow: 1 },
      { hashSeedHigh: 1 },
      { version: 3 },
      { capacityBytes: 1 },
      { epoch: -1 },
      { rootTags: 2 ** 30 },
    ];
    for (const change of bad)
      expect([change, codeOf(() => region.commit(change))]).toEqual([change, 'invalid_argument']);
    expect(region.superblock).toEqual(before);
    expect(readSuperblock(segmentOf(region, 0).words)).toEqual(before);
    region.close();
  });

  it('grows to its capacity and not beyond', () => {
    const region = create({ maxCapacityBytes: 40 * mib });
    const seen: Segment[] = [];
    expect(region.addSegment((segment) => seen.push(segment))).toBe(true);
    expect(sizes(region)).toEqual([16 * mib, 4 * mib]);
    expect(seen).toEqual([segmentOf(region, 1)]);
    expect(isZeroBehindHeader(segmentOf(region, 1))).toBe(true);
    expect(region.superblock.segmentCount).toBe(2);
    expect(region.addSegment(nothing)).toBe(false);
    region.commit({ capacityBytes: 20 * mib + 15 * 32_768 });
    expect(region.addSegment(nothing)).toBe(false);
    region.commit({ capacityBytes: 40 * mib });
    expect(region.addSegment(nothing)).toBe(true);
    expect(region.addSegment(nothing)).toBe(true);
    expect(sizes(region)).toEqual([16 * mib, 4 * mib, 16 * mib, 4 * mib]);
    expect(region.addSegment(nothing)).toBe(false);
    region.close();
  });

  it('shows added and dropped segments to others, and new ones zeroed', () => {
    const region = create({ capacityBytes: 12 * mib, segmentBytes: 4 * mib });
    const other = joinRegion(region);
    const list = other.segments;
    region.addSegment((segment) => segment.words.fill(11, 65_536));
    region.addSegment((segment) => segment.words.fill(12, 65_536));
    expect(list.length).toBe(1);
    other.refresh();
    expect(list.map((segment) => segment.words[100_000])).toEqual([0, 11, 12]);
    segmentOf(region, 2).words[100_000] = 13;
    expect(segmentOf(other, 2).words[100_000]).toBe(13);

    region.dropSegment();
    region.dropSegment();
    expect(region.segments.length).toBe(1);
    // Dropped and added again before the other looks: it must not keep the old one.
    let zeros = false;
    region.addSegment((segment) => {
      zeros = isZeroBehindHeader(segment);
      segment.words.fill(21, 65_536);
    });
    expect(zeros).toBe(true);
    other.refresh();
    expect(list.map((segment) => segment.words[100_000])).toEqual([0, 21]);
    expect(list).toBe(other.segments);
    region.dropSegment();
    other.refresh();
    expect(list.length).toBe(1);
    expect(codeOf(() => region.dropSegment())).toBe('invalid_argument');
    other.close();
    region.close();
  });

  it('hands out owner slots, gives them back, and knows who lives', () => {
    const region = create({ ownersMax: 3 });
    const words = segmentOf(region, 0).words;
    const stateOf = (slot: number): number | undefined => words[ownerWord(slot, ownerSlot.state)];
    const first = joinRegion(region);
    const second = joinRegion(region);
    expect([first.ownerSlot, second.ownerSlot, stateOf(0), stateOf(1), stateOf(2)]).toEqual([
      1,
      2,
      ownerLive,
      ownerLive,
      ownerLive,
    ]);
    expect([0, 1, 2].map((slot) => region.ownerLives(slot))).toEqual([true, true, true]);
    expect(words[ownerWord(1, ownerSlot.pid)]).toBe(process.pid);
    expect(words[ownerWord(1, ownerSlot.startTimeLow)]).toBeGreaterThan(0);
    expect(codeOf(() => joinRegion(region))).toBe('too_many_owners');
    segmentOf(first, 0).words[ownerWord(1, ownerSlot.intentOp)] = 5; // of somebody before, perhaps
    first.close();
    expect([stateOf(1), words[ownerWord(1, ownerSlot.intentOp)]]).toEqual([ownerFree, 5]);
    expect([0, 1, 2].map((slot) => region.ownerLives(slot))).toEqual([true, false, true]);
    expect(second.ownerLives(0)).toBe(true);
    for (const slot of [-1, 3, 0.5])
      expect(codeOf(() => region.ownerLives(slot))).toBe('invalid_argument');
    const third = joinRegion(region);
    expect([third.ownerSlot, third.slotAbandoned]).toEqual([1, false]);
    for (const open of [third, second, region]) open.close();
  });

  it('closes once, and then answers with a code', () => {
    const region = create();
    region.close();
    region.close();
    for (const use of [
      () => region.commit({ epoch: 1 }),
      () => region.addSegment(nothing),
      () => region.dropSegment(),
      () => region.refresh(),
      () => region.ownerLives(1),
    ]) {
      expect(codeOf(use)).toBe('pool_closed');
    }
  });

  it('refuses bad options', () => {
    const bad: Partial<RegionOptions>[] = [
      { capacityBytes: 4 * mib - 1 },
      { capacityBytes: Number.NaN },
      { capacityBytes: 2 ** 37 + 1 },
      { segmentBytes: 5 * mib },
      { ownersMax: 0 },
      { ownersMax: 65 },
      { ownersMax: 1.5 },
      { poolUuid: 'ABC' },
      { tenantHash: 'x' },
      { createdAtMs: -1 },
      { bootId: '' },
      { maxCapacityBytes: 8 * mib },
    ];
    for (const options of bad)
      expect([options, codeOf(() => create(options))]).toEqual([options, 'invalid_argument']);
  });

  it('undoes a growth whose preparation fails', () => {
    const region = create();
    const { handle } = region;
    const before = handle.type === 'mapped' ? readdirSync(handle.path) : [];
    expect(() =>
      region.addSegment((segment) => {
        segment.words.fill(7, 65_536);
        throw new Error('no');
      }),
    ).toThrow('no');
    expect([region.segments.length, region.superblock.sequence]).toEqual([1, 1]);
    expect(handle.type === 'mapped' ? readdirSync(handle.path) : []).toEqual(before);
    expect(region.addSegment((segment) => expect(isZeroBehindHeader(segment)).toBe(true))).toBe(
      true,
    );
    region.close();
  });
});
