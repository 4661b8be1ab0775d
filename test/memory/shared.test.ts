/** What is particular to shared regions; region.test.ts has what all have in common. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { freshIdentity } from '../../src/memory/identity.ts';
import { ownerFree, ownerLive, ownerSlot, ownerWord } from '../../src/memory/owners.ts';
import { fixedPrefixBytes } from '../../src/memory/layout.ts';
import { addressOf } from '../../src/memory/mapping.ts';
import { osCalls } from '../../src/memory/os.ts';
import { granuleBytes, wordsOf } from '../../src/memory/region.ts';
import type { Region, RegionHandle, RegionOptions } from '../../src/memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';
import { watchWorker } from '../../src/memory/worker-exit.ts';
import { rounds } from '../support/seed.ts';
import { codeOf, identity, mib, segmentOf } from './support/regions.ts';

function create(options: Partial<RegionOptions> = {}): Region {
  return createSharedRegion({ capacityBytes: 16 * mib, ...identity, ...options });
}

function buffersOf(region: Region): readonly SharedArrayBuffer[] {
  return region.handle.type === 'shared' ? region.handle.buffers : [];
}

describe('buffers', () => {
  it('are all there from the start, for address space but no memory', () => {
    const before = process.memoryUsage().rss;
    const region = create({ capacityBytes: 4 * 2 ** 30 });
    expect(buffersOf(region).map((buffer) => wordsOf(buffer).byteLength)).toEqual([
      2 ** 30,
      2 ** 30,
      2 ** 30,
      2 ** 30,
    ]);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * mib);
  });

  it.skipIf(process.platform !== 'linux')('have their segments where cache lines begin', () => {
    const region = create({ capacityBytes: 128 * mib, segmentBytes: 32 * mib });
    while (region.addSegment(() => {}));
    const other = attachSharedRegion(region.handle);
    const segments = [...region.segments, ...other.segments];
    const offsets = segments.map((segment) => addressOf(segment, osCalls()) % granuleBytes);
    expect(offsets).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    other.close();
    region.close();
  });

  it('have spare ones when capacity may be raised', () => {
    expect(buffersOf(create({ maxCapacityBytes: 16 * mib })).length).toBe(2);
    expect(buffersOf(create({ maxCapacityBytes: 24 * mib })).length).toBe(7);
    const region = create({ capacityBytes: 9 * mib, maxCapacityBytes: 32 * mib });
    for (let capacityBytes = 9 * mib; capacityBytes <= 32 * mib; capacityBytes += mib) {
      region.commit({ capacityBytes });
      while (region.addSegment(() => {}));
    }
    expect(region.segments.length).toBe(buffersOf(region).length);
  });

  it('are all zero in a segment that is larger than the one before, whoever used them last', () => {
    const region = create({ capacityBytes: 8 * mib, segmentBytes: 4 * mib });
    const other = attachSharedRegion(region.handle);
    const sizes = [4, 1, 4, 2, 3].map((size) => {
      other.commit({ capacityBytes: (4 + size) * mib });
      region.refresh();
      const owner = size % 2 === 0 ? region : other;
      owner.addSegment(({ words }) => {
        expect(words.subarray(fixedPrefixBytes >> 2).every((word) => word === 0)).toBe(true);
        words.fill(-1, fixedPrefixBytes >> 2);
      });
      const { sizeBytes } = segmentOf(owner, 1);
      owner.dropSegment();
      return sizeBytes / mib;
    });
    expect(sizes).toEqual([4, 1, 4, 2, 3]);
    other.close();
    region.close();
  });

  it('show what they held through views that outlive the region', () => {
    const region = create();
    const { words } = segmentOf(region, 0);
    words[100_000] = 5;
    region.close();
    expect(words[100_000]).toBe(5);
  });
});

describe('handles', () => {
  it('are refused when they are not one', () => {
    const { handle } = create();
    const bad = [
      undefined,
      null,
      {},
      { type: 'mapped', path: '/' },
      { ...handle, buffers: [] },
      { ...handle, segmentShift: 99 },
      { ...handle, buffers: [new ArrayBuffer(8)] },
      { ...handle, buffers: [new SharedArrayBuffer(8)] },
    ];
    for (const other of bad)
      expect(codeOf(() => attachSharedRegion(other as RegionHandle))).toBe('invalid_argument');
    const [buffer] = buffersOf(create({ segmentBytes: 4 * mib }));
    const zeros = [new SharedArrayBuffer(buffer?.byteLength)];
    expect(
      codeOf(() => attachSharedRegion({ type: 'shared', segmentShift: 22, buffers: zeros })),
    ).toBe('not_a_pool');
  });

  it('are refused when they lack a segment that is counted', () => {
    const region = create();
    region.addSegment(() => {});
    const buffers = buffersOf(region).slice(0, 1);
    expect(codeOf(() => attachSharedRegion({ type: 'shared', segmentShift: 23, buffers }))).toBe(
      'pool_corrupt',
    );
    expect(segmentOf(region, 0).words[ownerWord(1, ownerSlot.state)]).toBe(ownerFree);
  });

  it('let a worker thread join', async () => {
    const region = create();
    const worker = new Worker(new URL('./fixtures/attach-worker.mjs', import.meta.url), {
      workerData: region.handle,
    });
    const [slot] = (await once(worker, 'message')) as [number];
    const { words } = segmentOf(region, 0);
    expect(slot).toBe(1);
    expect(words[ownerWord(1, ownerSlot.state)]).toBe(ownerLive);
    expect(words[ownerWord(1, ownerSlot.pid)]).toBe(process.pid);
    expect(words[ownerWord(1, ownerSlot.tid)]).toBe(worker.threadId);
    expect(words[100_000]).toBe(4711);
    const exited = once(worker, 'exit');
    worker.postMessage('close');
    await exited;
    expect(words[ownerWord(1, ownerSlot.state)]).toBe(ownerFree);
  });

  it('leave slots that can be reclaimed from a worker that was ended', async () => {
    const region = create({ ownersMax: 2 });
    const told: number[] = [];
    const worker = new Worker(new URL('./fixtures/attach-worker.mjs', import.meta.url), {
      workerData: region.handle,
    });
    watchWorker(worker, region, (slot) => told.push(slot));
    await once(worker, 'message');
    expect(region.ownerLives(1)).toBe(true);
    await worker.terminate();
    expect(told).toEqual([1]);
    expect(region.ownerLives(1)).toBe(false);
    expect(codeOf(() => attachSharedRegion(region.handle))).toBe('too_many_owners');
    expect(region.reclaim?.(1, () => {})).toBe(true);
    expect(attachSharedRegion(region.handle).ownerSlot).toBe(1);
  });
});

describe('a reader in another thread', () => {
  it('follows while the writer grows and shrinks', async () => {
    const region = create({ segmentBytes: 4 * mib, maxCapacityBytes: 16 * mib });
    const { words } = segmentOf(region, 0);
    const worker = new Worker(new URL('./fixtures/following-worker.mjs', import.meta.url), {
      workerData: region.handle,
    });
    const [started] = (await once(worker, 'message')) as [string];
    expect(started).toBe('following');
    for (let i = 0; i < rounds(300, 1000); i += 1) {
      region.commit({ capacityBytes: 8 * mib + (i % 3) * mib });
      region.addSegment((segment) => segment.words.fill(i, 65_536, 65_600));
      region.addSegment(() => {});
      while (region.segments.length > 1) assert(region.dropSegment());
    }
    const answer = once(worker, 'message');
    words[100_000] = 1;
    const [states] = (await answer) as [number];
    expect(states).toBeGreaterThan(3);
    await worker.terminate();
  });
});

describe('freshIdentity', () => {
  it('draws a new one each time, and takes the time it is given', () => {
    const [one, other] = [freshIdentity({ nowMs: () => 1234 }), freshIdentity()];
    expect(one.createdAtMs).toBe(1234);
    expect(one.poolUuid).toMatch(/^[0-9a-f]{32}$/);
    expect(one.poolUuid).not.toBe(other.poolUuid);
    expect([one.hashSeedLow, one.hashSeedHigh]).not.toEqual([
      other.hashSeedLow,
      other.hashSeedHigh,
    ]);
    expect(create(one).superblock).toMatchObject(one);
  });
});
