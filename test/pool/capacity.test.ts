/** The bound in bytes: kept, moved, and refused with nothing changed when nothing may go. */

import { statSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import {
  contents,
  expectSound,
  filled,
  freshPath,
  mib,
  pool,
  read,
  refuses,
} from './support/pools.ts';

/** Bytes that the files of a pool take. */
function fileBytes(path: string): number {
  const names = readdirSync(path).filter((name) => name.startsWith('segment'));
  return names.reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

function expectWithin(of: Pool): void {
  const { capacityBytes, memory } = of.stats();
  expect(memory.usedBytes + memory.metadataBytes).toBeLessThanOrEqual(capacityBytes);
}

/** Puts pinned parts of falling sizes until not even a small one fits. */
function fillPinned(of: Pool): void {
  let count = 0;
  for (let sizeBytes = 512 * 1024; sizeBytes >= 64; sizeBytes /= 2) {
    try {
      for (;;) of.put(`pinned-${count++}`, 'p', filled(sizeBytes, count), { pinned: true });
    } catch (error) {
      expect(error).toMatchObject({ code: 'pool_full' });
    }
  }
}

/** Every write is refused, and nothing is another afterwards. */
function expectFull(of: Pool): void {
  const before = contents(of);
  const { memory, operations } = of.stats();
  refuses(() => of.put('new', 'p', filled(5000, 1)), 'pool_full');
  refuses(() => of.put('pinned-0', 'p', filled(600_000, 1)), 'pool_full');
  refuses(() => of.append('new', 'p', filled(5000, 1)), 'pool_full');
  refuses(() => of.append('pinned-0', 'p', filled(600_000, 1)), 'pool_full');
  refuses(() => of.beginPut('new', 'p', 5000), 'pool_full');
  expect(contents(of)).toEqual(before);
  expect(of.stats().memory.liveBytes).toBe(memory.liveBytes);
  expect(of.stats().operations.poolFull).toBeGreaterThanOrEqual(operations.poolFull + 5);
  expectSound(of);
}

describe('a full pool', () => {
  it('evicts what has not been used for longest', async () => {
    const of = await pool({ capacityBytes: 8 * mib, seed: 1 });
    for (let i = 0; i < 100; i++) of.put(`${i}`, 'p', filled(20_000, i));
    for (let i = 100; i < 2000; i++) {
      of.put(`${i}`, 'p', filled(20_000, i));
      for (let used = 0; used < 100; used += 10) of.get(`${used}`, 'p')?.release();
    }
    const there = Array.from({ length: 100 }, (_, i) => of.where(`${i}`, 'p') === 'hot');
    expect(there.filter((hot, i) => hot && i % 10 === 0).length).toBe(10);
    expect(there.filter((hot, i) => hot && i % 10 !== 0).length).toBe(0);
    expect(read(of, '0', 'p')).toEqual(Buffer.alloc(20_000, 0));
    expectSound(of);
    expectWithin(of);
  });

  it('is refused with nothing changed when all is pinned', async () => {
    const of = await pool({ capacityBytes: 4 * mib });
    fillPinned(of);
    expect(of.stats().operations.evictions).toBe(0);
    expectFull(of);
    of.delete('pinned-0');
    of.put('new', 'p', filled(5000, 1));
    expect(read(of, 'new', 'p')).toEqual(Buffer.alloc(5000, 1));
  });

  it('is refused with nothing changed when all is leased', async () => {
    const of = await pool({ capacityBytes: 4 * mib });
    fillPinned(of);
    const leases = of
      .list({ limit: 10_000 })
      .flatMap(({ id, parts }) => parts.map(({ part }) => of.get(id, part)));
    for (const { id } of of.list({ limit: 10_000 })) of.unpin(id);
    expect(of.stats().pinnedParts).toBe(0);
    expectFull(of);
    for (const lease of leases) lease?.release();
    of.put('new', 'p', filled(600_000, 1));
    expect(read(of, 'new', 'p')).toEqual(Buffer.alloc(600_000, 1));
    expectSound(of);
  });

  it('gets room from what was replaced when its last lease ends', async () => {
    const of = await pool({ capacityBytes: 4 * mib });
    of.put('a', 'p', filled(1_500_000, 1));
    const lease = of.get('a', 'p');
    of.put('a', 'p', filled(1_500_000, 2), { pinned: true });
    refuses(() => of.put('b', 'p', filled(1_500_000, 3)), 'pool_full');
    lease?.release();
    of.put('b', 'p', filled(1_500_000, 3));
    expect(read(of, 'a', 'p')?.[0]).toBe(2);
    expectSound(of);
  });

  it.each([100, 5000, 300_000])(
    'takes parts of %i bytes to ten times its capacity',
    async (size) => {
      const path = freshPath();
      const capacityBytes = (size === 100 ? 4 : 8) * mib;
      const of = await pool({ path, capacityBytes, segmentBytes: 4 * mib });
      const parts = Math.ceil((10 * capacityBytes) / (size + 250));
      for (let i = 0; i < parts; i++) {
        of.put(`${i}`, 'p', filled(size, i));
        if (i % 1000 === 0) expectWithin(of);
      }
      expectWithin(of);
      expect(fileBytes(path)).toBeLessThanOrEqual(capacityBytes);
      const { operations, parts: left, memory } = of.stats();
      expect(operations.evictions).toBe(parts - left);
      expect(memory.liveBytes).toBeGreaterThan(0.8 * capacityBytes);
      expectSound(of);
    },
  );
});

describe('setCapacity', () => {
  it('raises the bound of a pool in use', async () => {
    const path = freshPath();
    const of = await pool({ path, capacityBytes: 4 * mib });
    for (let i = 0; i < 200; i++) of.put(`${i}`, 'p', filled(50_000, i));
    const few = of.stats().parts;
    of.setCapacity(16 * mib);
    const { evictions } = of.stats().operations;
    for (let i = 0; i < 200; i++) of.put(`${i}`, 'p', filled(50_000, i));
    expect(of.stats().operations.evictions).toBe(evictions);
    expect(of.stats().parts).toBe(200);
    expect(few).toBeLessThan(100);
    expect(of.stats().segments).toBeGreaterThan(1);
    await of.close();
    const again = await pool({ path });
    expect(again.stats()).toMatchObject({ capacityBytes: 16 * mib, parts: 200 });
    expectSound(again);
  });

  it('lowers it, evicts, and gives segments back', async () => {
    const path = freshPath();
    const of = await pool({ path, capacityBytes: 16 * mib, segmentBytes: 4 * mib });
    // Entries and index are made at the low end, so that they do not hold a later segment.
    for (let i = 0; i < 300; i++) of.put(`${i}`, 'p', '');
    for (let i = 0; i < 290; i++) of.put(`${i}`, 'p', filled(50_000, i), { pinned: i < 10 });
    of.setCapacity(8 * mib);
    expectWithin(of);
    expectSound(of);
    expect(of.stats().parts).toBeGreaterThan(100);
    for (let i = 0; i < 10; i++) expect(read(of, `${i}`, 'p')).toEqual(Buffer.alloc(50_000, i));
    for (let i = 0; i < 300; i++) of.delete(`${i}`);
    of.setCapacity(4 * mib);
    expect(of.stats().segments).toBe(1);
    expect(fileBytes(path)).toBe(4 * mib);
    for (let i = 0; i < 100; i++) of.put(`${i}`, 'p', filled(50_000, i));
    expectWithin(of);
    expectSound(of);
    of.setCapacity(16 * mib);
    for (let i = 0; i < 200; i++) of.put(`${i}`, 'p', filled(50_000, i));
    expect(of.stats().parts).toBe(200);
    expectSound(of);
  });

  it('is refused when what is pinned does not fit', async () => {
    const of = await pool({ capacityBytes: 16 * mib });
    for (let i = 0; i < 12; i++) of.put(`${i}`, 'p', filled(mib / 2, i), { pinned: true });
    refuses(() => of.setCapacity(4 * mib), 'pool_full');
    expect(of.stats()).toMatchObject({ capacityBytes: 16 * mib, parts: 12 });
    expectSound(of);
    of.setCapacity(8 * mib);
    expect(of.stats()).toMatchObject({ capacityBytes: 8 * mib, parts: 12 });
    expectSound(of);
  });

  it('of a shared pool goes as far as maxCapacityBytes', async () => {
    const of = await pool({ capacityBytes: 4 * mib, maxCapacityBytes: 16 * mib });
    for (const capacityBytes of [16, 4, 12, 4, 16].map((size) => size * mib)) {
      of.setCapacity(capacityBytes);
      for (let i = 0; i < 400; i++) of.put(`${i}`, 'p', filled(50_000, i));
      expectWithin(of);
      expectSound(of);
      expect(of.stats().parts * 50_000).toBeGreaterThan(capacityBytes * 0.7);
    }
  });

  it.each([0, 4 * mib - 1, 2 ** 38, Number.NaN, Infinity])('refuses %s', async (capacityBytes) => {
    const of = await pool();
    refuses(() => of.setCapacity(capacityBytes), 'invalid_argument');
    expect(of.stats().capacityBytes).toBe(16 * mib);
  });
});

describe.each(['shared', 'mapped'])('segments of a %s pool that go and come back', (type) => {
  it('are the new ones to threads that had joined before', async () => {
    const sizes = { capacityBytes: 16 * mib, segmentBytes: 4 * mib };
    const of = await pool({ ...sizes, ...(type === 'mapped' ? { path: freshPath() } : {}) });
    const reader = await pool({ handle: structuredClone(of.handle) });
    // Entries and index at the low end, so that they do not hold a later segment.
    for (let i = 0; i < 300; i++) of.put(`${i}`, 'p', '');
    for (let round = 1; round < 4; round++) {
      for (let i = 0; i < 20; i++) of.put(`${i}`, 'p', filled(600_000 - round, round * 30 + i));
      expect(of.stats().segments).toBe(4);
      for (let i = 0; i < 20; i++) {
        const bytes = Buffer.alloc(600_000 - round, round * 30 + i);
        expect(read(reader, `${i}`, 'p')?.equals(bytes)).toBe(true);
      }
      for (let i = 0; i < 20; i++) of.put(`${i}`, 'p', '');
      of.setCapacity(4 * mib);
      expect(of.stats().segments).toBe(1);
      of.setCapacity(16 * mib);
    }
  });
});
