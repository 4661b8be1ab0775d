/** Who may open a pool, as what, and what is left when it is closed. */

import { cpSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Lease, OpenOptions, Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import {
  bytesOf,
  contents,
  expectSound,
  filled,
  freshPath,
  mib,
  pool,
  read,
  refuses,
} from './support/pools.ts';

/** Every operation that writes. */
const writes: readonly [string, (of: Pool) => unknown][] = [
  ['put', (of) => of.put('a', 'p', 'x')],
  ['append', (of) => of.append('a', 'p', 'x')],
  ['beginPut', (of) => of.beginPut('a', 'p', 1)],
  ['delete', (of) => of.delete('a')],
  ['delete a part', (of) => of.delete('a', 'p')],
  ['expire', (of) => of.expire('a', 1000)],
  ['pin', (of) => of.pin('a')],
  ['unpin', (of) => of.unpin('a')],
  ['hint', (of) => of.hint('a', { closed: true })],
  ['invalidate', (of) => of.invalidate({ tag: 't' })],
  ['sweepExpired', (of) => of.sweepExpired()],
  ['setCapacity', (of) => of.setCapacity(8 * mib)],
];

/** Every operation that reads. */
const reads: readonly [string, (of: Pool) => unknown][] = [
  ['get', (of) => of.get('a', 'p')],
  ['describe', (of) => of.describe('a', 'p')],
  ['context', (of) => of.context('a')],
  ['list', (of) => of.list()],
  ['where', (of) => of.where('a', 'p')],
  ['stats', (of) => of.stats()],
  ['check', (of) => of.check()],
  ['memoryMap', (of) => of.memoryMap(10)],
  ['handle', (of) => of.handle],
];

describe.each(['shared', 'mapped'])('a closed %s pool', (type) => {
  it.each([...writes, ...reads])('refuses %s', async (_, operation) => {
    const of = await pool(type === 'mapped' ? { path: freshPath() } : {});
    of.put('a', 'p', 'x');
    await of.close();
    await of.close();
    refuses(() => operation(of), 'pool_closed');
    await expect(of.snapshot(freshPath())).rejects.toMatchObject({ code: 'pool_closed' });
    await expect(of.load('a', 'p')).rejects.toMatchObject({ code: 'pool_closed' });
    await expect(of.persist('a')).rejects.toMatchObject({ code: 'pool_closed' });
  });
});

describe('a pool that is', () => {
  it('looked at refuses writes and offers reads', async () => {
    const path = freshPath();
    const of = await pool({ path });
    const reader = await pool({ path, readOnly: true });
    expect(reader.readOnly).toBe(true);
    expect(of.readOnly).toBe(false);
    of.put('a', 'p', 'text', { tags: ['t'], ttlMs: 2 ** 40 });
    of.put('a', 'q', filled(5000, 1));
    const before = contents(of);
    for (const [, write] of writes) refuses(() => write(reader), 'read_only');
    await expect(reader.snapshot(freshPath())).rejects.toMatchObject({ code: 'read_only' });
    expect(contents(of)).toEqual(before);
    expect(contents(reader)).toEqual(before);
    expect(reader.where('a', 'q')).toBe('hot');
    expect(reader.where('b', 'q')).toBeUndefined();
    expect(reader.stats()).toMatchObject({ parts: 2, contexts: 1, capacityBytes: 16 * mib });
    expectSound(reader);
    await reader.close();
    refuses(() => reader.get('a', 'p'), 'pool_closed');
    expect(contents(of)).toEqual(before);
    expectSound(of);
  });

  it('looked at follows its owner, whatever has been read of it before', async () => {
    const path = freshPath();
    const of = await pool({ path, capacityBytes: 32 * mib, segmentBytes: 4 * mib });
    const looking = await pool({ path, readOnly: true });
    const kept = new Map<number, Lease | undefined>();
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 60; i++) of.put(`${i}`, 'p', filled(1000 + 100 * round, round * 30 + i));
      for (let i = 0; i < 60; i++) of.put(`${round}-${i}`, 'p', filled(8000 * round, i));
      for (let i = 0; i < 60; i += 7) of.append(`${i}`, 'p', filled(10, 1));
      for (let i = 0; i < 60; i++) {
        const lease = looking.get(`${i}`, 'p');
        expect(lease?.version).toBe(of.describe(`${i}`, 'p')?.version);
        expect(bytesOf(lease).equals(read(of, `${i}`, 'p') as Buffer)).toBe(true);
        if (i === round) kept.set(round, lease);
      }
      expectSound(looking);
      expect(looking.list({ limit: 10_000 })).toEqual(of.list({ limit: 10_000 }));
    }
    for (const [round, lease] of kept) {
      expect(bytesOf(lease)[0]).toBe((round * 30 + round) % 256);
      lease?.release();
      refuses(() => lease?.data, 'lease_released');
    }
    expectSound(of);
  });

  it('owned by as many as it was made for has no place for another', async () => {
    const path = freshPath();
    const of = await pool({ path, ownersMax: 2 });
    of.put('a', 'p', 'x');
    const other = await pool({ path });
    for (let i = 0; i < 3; i++) {
      await expect(openPool({ path })).rejects.toMatchObject({ code: 'pool_busy' });
    }
    expect(read(other, 'a', 'p')?.toString()).toBe('x');
    await of.close();
    expect(read(await pool({ path }), 'a', 'p')?.toString()).toBe('x');
  });
});

describe('opening', () => {
  it('finds everything that was closed', async () => {
    const path = freshPath();
    let of = await pool({ path, capacityBytes: 64 * mib });
    for (let i = 0; i < 3000; i++) of.put(`${i}`, 'p', filled(i % 500, i), { tags: [`${i % 3}`] });
    for (let i = 0; i < 3000; i += 7) of.delete(`${i}`);
    for (let i = 1; i < 3000; i += 7) of.append(`${i}`, 'p', filled(3, 1));
    const before = contents(of);
    for (let opening = 0; opening < 3; opening++) {
      await of.close();
      of = await pool({ path });
      expect(contents(of)).toEqual(before);
      expectSound(of);
    }
  });

  it('keeps the capacity of a pool unless another is asked for', async () => {
    const path = freshPath();
    await (await pool({ path, capacityBytes: 8 * mib })).close();
    const of = await pool({ path });
    expect(of.stats().capacityBytes).toBe(8 * mib);
    await of.close();
    const larger = await pool({ path, capacityBytes: 12 * mib });
    expect(larger.stats().capacityBytes).toBe(12 * mib);
    await larger.close();
    expect((await pool({ path })).stats().capacityBytes).toBe(12 * mib);
  });

  it('of what a crash left is the same for its owner and for onlookers', async () => {
    const path = freshPath();
    const of = await pool({ path, capacityBytes: 8 * mib, segmentBytes: 4 * mib });
    for (let i = 0; i < 70; i++) of.put(`${i}`, 'p', filled(70_000, i), { tags: ['t'] });
    const lease = of.get('1', 'p');
    of.put('1', 'p', 'replaced');
    of.delete('2');
    const draft = of.beginPut('draft', 'p', 1000);
    draft.write(filled(1000, 1));
    const before = contents(of);
    const copy = `${path}-copy`;
    cpSync(path, copy, { recursive: true });
    lease?.release();
    for (let i = 0; i < 2; i++) {
      const looking = await pool({ path: copy, readOnly: true });
      expect(contents(looking)).toEqual(before);
      expect(looking.stats().retiredParts).toBe(0);
      expectSound(looking);
      await looking.close();
    }
    const owner = await pool({ path: copy });
    expect(contents(owner)).toEqual(before);
    expect(owner.stats().retiredParts).toBe(0);
    expectSound(owner);
  });

  it('disposes of itself', async () => {
    const path = freshPath();
    const of = await openPool({ path, capacityBytes: 4 * mib });
    of.put('a', 'p', 'x');
    await of[Symbol.asyncDispose]();
    refuses(() => of.get('a', 'p'), 'pool_closed');
    expect(read(await pool({ path }), 'a', 'p')?.toString()).toBe('x');
  });

  const bad: readonly [string, OpenOptions][] = [
    ['a capacity below 4 MiB', { capacityBytes: 4 * mib - 1 }],
    ['a capacity above 128 GiB', { capacityBytes: 2 ** 38 }],
    ['a capacity that is no number', { capacityBytes: Number.NaN }],
    ['less room to grow than capacity', { capacityBytes: 8 * mib, maxCapacityBytes: 4 * mib }],
    ['segments of an odd size', { segmentBytes: 5 * mib }],
    ['segments that are too small', { segmentBytes: mib }],
    ['segments that are too large', { segmentBytes: 2 ** 31 }],
    ['no owners', { ownersMax: 0 }],
    ['too many owners', { ownersMax: 65 }],
    ['an empty path', { path: '' }],
    ['reading without a path', { readOnly: true }],
  ];

  it.each(bad)('refuses %s', async (_, options) => {
    await expect(openPool(options)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('refuses what is not there, or not a pool', async () => {
    const path = freshPath();
    await expect(openPool({ path, readOnly: true })).rejects.toMatchObject({ code: 'not_a_pool' });
    const of = await pool({ path });
    const handle = structuredClone(of.handle);
    await expect(openPool({ handle, path })).rejects.toMatchObject({ code: 'invalid_argument' });
    const nonsense = { region: { type: 'cloud' } } as unknown as typeof handle;
    await expect(openPool({ handle: nonsense })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});
