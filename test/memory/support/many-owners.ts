/** Regions with several owners who may die or be interrupted, and what each of them may do. */

import { join } from 'node:path';
import { expect } from 'vitest';
import { regionLockWord, segmentLockWord } from '../../../src/memory/layout.ts';
import { lock, lockTokenOf, lockWaitOf, unlock } from '../../../src/memory/lock.ts';
import type { Region } from '../../../src/memory/region.ts';
import { createSharedRegion } from '../../../src/memory/shared.ts';
import { readSuperblock } from '../../../src/memory/superblock.ts';
import { impatient, mortalMapped } from './mortal.ts';
import { identity, mib, segmentOf, temporaryFolder } from './regions.ts';

const options = { capacityBytes: 16 * mib, segmentBytes: 4 * mib, ...identity };

export const subjects: { readonly name: string; readonly create: () => Region }[] = [
  { name: 'shared', create: () => createSharedRegion(options, impatient) },
  {
    name: 'mapped',
    create: () => mortalMapped(join(temporaryFolder(), 'pool'), 'own', options).region,
  },
];

export function nothing(): void {}

/** What an owner may do to a region of two or three segments. Each owner commits a field of its own. */
export const steps: Record<string, (region: Region) => void> = {
  commits(region) {
    const { epoch, rootTags } = region.superblock;
    region.commit(region.ownerSlot === 0 ? { epoch: epoch + 1 } : { rootTags: rootTags + 64 });
  },
  'adds a segment': (region) =>
    void region.addSegment((segment) => segment.words.fill(3, 65_536, 65_540)),
  'drops a segment': (region) => {
    // Three times at most: another may have dropped it meanwhile.
    for (let i = 0; i < 3 && region.segments.length > 1 && !region.dropSegment(); i += 1)
      region.refresh();
  },
};

/** The region is whole: everybody sees the same, and can change it. */
export function expectWhole(region: Region, ...others: Region[]): void {
  const { words } = segmentOf(region, 0);
  expect(words[regionLockWord]).toBe(0);
  const block = readSuperblock(words);
  for (const each of [region, ...others]) {
    each.refresh();
    expect(each.superblock).toEqual(block);
    expect(each.segments.length).toBe(block.segmentCount);
  }
  for (const [number, segment] of region.segments.entries()) {
    const wait = lockWaitOf(region, 0);
    const outcome = lock(segment.words, segmentLockWord, lockTokenOf(region), wait);
    expect(outcome).toBeOneOf(['taken', 'inherited']);
    unlock(segment.words, segmentLockWord);
    segment.words[70_000] = block.sequence + number;
    for (const each of others)
      expect(segmentOf(each, number).words[70_000]).toBe(block.sequence + number);
    segment.words[70_000] = 0;
  }
}
