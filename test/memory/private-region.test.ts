/** A private copy of a pool whose owner died: nobody else sees what is done to it. */

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { segmentLockWord } from '../../src/memory/layout.ts';
import { lock, lockTokenOf, lockWaitOf, tryLock } from '../../src/memory/lock.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { privateRegion } from '../../src/memory/private-region.ts';
import { mortalMapped } from './support/mortal.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';

const options = { capacityBytes: 8 * mib, segmentBytes: 4 * mib, ...identity };

it('inherits the locks that the dead have left', () => {
  const folder = join(temporaryFolder(), 'pool');
  const { region, die } = mortalMapped(folder, 'own', options);
  const held = lockTokenOf(region);
  expect(tryLock(segmentOf(region, 0).words, segmentLockWord, held)).toBe(true);
  die();
  const copy = privateRegion(openMappedRegion(folder, 'inspect'));
  const { words } = segmentOf(copy, 0);
  expect(lockTokenOf(copy)).not.toBe(held);
  expect(lock(words, segmentLockWord, lockTokenOf(copy), lockWaitOf(copy, 0))).toBe('inherited');
  expect(segmentOf(region, 0).words[segmentLockWord]).toBe(held);
  copy.close();
});

it('is made of an inspection only, and keeps its segments', () => {
  const folder = join(temporaryFolder(), 'pool');
  const region = openMappedRegion(folder, 'own', options);
  expect(codeOf(() => privateRegion(region))).toBe('invalid_argument');
  const copy = privateRegion(openMappedRegion(folder, 'inspect'));
  copy.commit({ epoch: 4 });
  copy.refresh();
  expect([copy.superblock.epoch, region.superblock.epoch]).toEqual([4, 0]);
  expect(copy.addSegment(() => {})).toBe(false);
  expect(codeOf(() => copy.dropSegment())).toBe('read_only');
  copy.close();
  region.close();
});
