/** Every sort of region that an allocator works over, for suites that all of them must pass. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  createAllocator,
  openAllocator,
  type PoolAllocator,
} from '../../../src/alloc/allocator.ts';
import type { AllocatorOptions } from '../../../src/alloc/api.ts';
import { freshIdentity } from '../../../src/memory/identity.ts';
import { openMappedRegion } from '../../../src/memory/mapped.ts';
import { attachSharedRegion } from '../../../src/memory/shared.ts';
import { privateRegion } from '../../../src/memory/private-region.ts';
import type { Region } from '../../../src/memory/region.ts';
import { kib, mib, sharedRegion, SmallRegion } from './regions.ts';

/** Owners of one region, each with an allocator of its own. */
export interface House {
  readonly owners: readonly PoolAllocator[];
  /** Leaves everything in order and comes back, as the next process would. Absent where nothing is left after closing. */
  readonly reopen?: () => House;
}

export interface Subject {
  readonly name: string;
  /** Segments that it may grow to; they are of the same size. */
  readonly segmentsMax: number;
  /** A new region. It is closed with the test. */
  readonly open: (options?: AllocatorOptions) => House;
}

const segmentBytes = 4 * mib;
const segmentsMax = 3;
const size = { capacityBytes: segmentsMax * segmentBytes, segmentBytes };

function closedWithTest(region: Region): Region {
  onTestFinished(() => region.close());
  return region;
}

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-alloc-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'pool');
}

function mappedHouse(folder: string, options: AllocatorOptions, isNew: boolean): House {
  const given = { ...size, ...freshIdentity() };
  const region = closedWithTest(openMappedRegion(folder, 'own', given));
  const allocator = (isNew ? createAllocator : openAllocator)(region, options);
  return {
    owners: [allocator],
    reopen: () => {
      allocator.leave();
      region.close();
      return mappedHouse(folder, options, false);
    },
  };
}

/** An inspected pool, whose pages are this process's own. */
function privateHouse(options: AllocatorOptions): House {
  const folder = freshFolder();
  const pool = openMappedRegion(folder, 'own', { ...size, ...freshIdentity() });
  createAllocator(pool);
  pool.close();
  const region = closedWithTest(privateRegion(openMappedRegion(folder, 'inspect')));
  return { owners: [openAllocator(region, options)] };
}

function smallHouse(region: SmallRegion, options: AllocatorOptions, isNew: boolean): House {
  const allocator = (isNew ? createAllocator : openAllocator)(region, options);
  return {
    owners: [allocator],
    reopen: () => {
      allocator.leave();
      return smallHouse(region.reopened(), options, false);
    },
  };
}

/** Two owners in one thread, each with what it holds in private. */
function sharedHouse(options: AllocatorOptions): House {
  const region = closedWithTest(sharedRegion(size));
  const first = createAllocator(region, options);
  const other = closedWithTest(attachSharedRegion(region.handle));
  return { owners: [first, openAllocator(other, options)] };
}

/** As two processes have it: each maps the files for itself. */
function joinedHouse(folder: string, first: House, options: AllocatorOptions): House {
  const region = closedWithTest(openMappedRegion(folder, 'join'));
  const other = openAllocator(region, options);
  return {
    owners: [...first.owners, other],
    reopen: () => {
      other.leave();
      region.close();
      return joinedHouse(folder, first.reopen?.() ?? first, options);
    },
  };
}

export const subjects: readonly Subject[] = [
  {
    name: 'shared, one owner',
    segmentsMax,
    open: (options = {}) => ({
      owners: [createAllocator(closedWithTest(sharedRegion(size)), options)],
    }),
  },
  {
    name: 'mapped, one owner',
    segmentsMax,
    open: (options = {}) => mappedHouse(freshFolder(), options, true),
  },
  { name: 'shared, two owners', segmentsMax, open: (options = {}) => sharedHouse(options) },
  {
    name: 'mapped, two owners',
    segmentsMax,
    open: (options = {}) => {
      const folder = freshFolder();
      return joinedHouse(folder, mappedHouse(folder, options, true), options);
    },
  },
  { name: 'private, one owner', segmentsMax: 1, open: (options = {}) => privateHouse(options) },
  {
    name: 'small segments, one owner',
    segmentsMax,
    open: (options = {}) => {
      const region = new SmallRegion({ segmentBytes: [1536 * kib, 1536 * kib, 1536 * kib] });
      return smallHouse(region, options, true);
    },
  },
  {
    name: 'shared, three owners',
    segmentsMax,
    open: (options = {}) => {
      const region = closedWithTest(sharedRegion(size));
      const first = createAllocator(region, options);
      const joined = [1, 2].map(() => closedWithTest(attachSharedRegion(region.handle)));
      return { owners: [first, ...joined.map((each) => openAllocator(each, options))] };
    },
  },
  {
    name: 'small segments, two owners',
    segmentsMax,
    open: (options = {}) => {
      const region = new SmallRegion({ segmentBytes: [1536 * kib, 1536 * kib, 1536 * kib] });
      const first = createAllocator(region, options);
      return { owners: [first, openAllocator(region.joined(7), options)] };
    },
  },
];
