/** Parts that are on the disk only: found, brought back, deleted, never returned damaged. */

import { describe, expect, it } from 'vitest';
import { openEnvironment, openTable } from '../../src/tier/lmdb.ts';
import { partKey } from '../../src/tier/disk-key.ts';
import type { Pool } from '../../src/pool/api.ts';
import {
  bytesOf,
  expectSound,
  filled,
  freshPath,
  mib,
  read,
  refuses,
} from '../pool/support/pools.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';
import { join } from 'node:path';

/** A pool with part `p` of context `a` on the disk, and not in memory. */
async function withCold(data: Uint8Array | string = 'cold', tags: string[] = []): Promise<Pool> {
  const of = await diskPool(freshPath(), { capacityBytes: 8 * mib });
  of.put('a', 'p', data, { tags });
  await of.persist('a');
  evictAll(of);
  expect(of.where('a', 'p')).toBe('disk');
  expect(of.get('a', 'p')).toBeUndefined();
  return of;
}

describe('a part on the disk', () => {
  it('comes back to memory in the version it had', async () => {
    const of = await diskPool(freshPath(), { capacityBytes: 8 * mib });
    const large = filled(mib + 3, 5);
    const version = of.put('a', 'p', large, { tags: ['t'] });
    await of.persist('a');
    evictAll(of);
    const lease = await of.load('a', 'p');
    expect(lease?.version).toBe(version);
    expect(bytesOf(lease).equals(large)).toBe(true);
    lease?.release();
    expect(of.where('a', 'p')).toBe('hot');
    expect(of.describe('a', 'p')).toMatchObject({ version, tags: ['t'] });
    expect(of.stats().disk).toMatchObject({ promoted: 1, persisted: 1 });
    // The disk has it already: nothing is written to get rid of it again.
    evictAll(of);
    expect(of.stats().disk).toMatchObject({ persisted: 1, dropped: 2 });
    expect(of.where('a', 'p')).toBe('disk');
    expectSound(of);
  });

  it('is read into a copy where memory has no room', async () => {
    const of = await diskPool(freshPath(), { capacityBytes: 8 * mib });
    const large = filled(mib / 2, 5);
    const version = of.put('a', 'p', Uint32Array.from(large));
    await of.persist('a');
    evictAll(of);
    for (let i = 0; i < 100; i++) {
      try {
        of.put('pinned', `p${i}`, filled(200_000, i), { pinned: true });
      } catch {
        break;
      }
    }
    const lease = await of.load('a', 'p');
    expect(lease?.data).toEqual(Uint32Array.from(large));
    expect(lease?.version).toBe(version);
    lease?.release();
    expect(of.where('a', 'p')).toBe('disk');
  });

  it('is nowhere when nobody wrote it', async () => {
    const of = await withCold();
    expect(await of.load('a', 'q')).toBeUndefined();
    expect(of.where('a', 'q')).toBeUndefined();
  });

  it('is not extended blindly, nor taken for absent', async () => {
    const of = await withCold();
    refuses(() => of.append('a', 'p', 'more'), 'part_on_disk');
    refuses(() => of.put('a', 'p', 'x', { ifVersion: 0 }), 'version_conflict');
    refuses(() => of.beginPut('a', 'p', 1, { ifVersion: 0 }), 'version_conflict');
    refuses(() => of.delete('a', 'p', { ifVersion: 1 }), 'version_conflict');
    await loaded(of, 'a', 'p');
    of.append('a', 'p', ' and more');
    expect(String(read(of, 'a', 'p'))).toBe('cold and more');
  });

  it.each([
    ['delete', (of: Pool) => of.delete('a', 'p')],
    ['delete of its context', (of: Pool) => of.delete('a')],
    ['invalidate', (of: Pool) => of.invalidate({ tag: 't' })],
  ])('goes by %s', async (_, remove) => {
    const of = await withCold('cold', ['t']);
    of.put('b', 'p', 'stays', { tags: ['u'] });
    await of.persist('b');
    evictAll(of);
    expect(remove(of)).toBe(1);
    expect(await loaded(of, 'a', 'p')).toBeUndefined();
    expect(remove(of)).toBe(0);
    await of.persist('a');
    expect(of.stats().disk?.doomed).toBe(0);
    expect(String(await loaded(of, 'b', 'p'))).toBe('stays');
  });

  it('is lost when a later version is evicted before it was written: the older one does not return', async () => {
    const of = await withCold();
    of.put('a', 'p', 'newer');
    evictAll(of);
    expect(of.where('a', 'p')).toBeUndefined();
    expect(await loaded(of, 'a', 'p')).toBeUndefined();
    expect(of.stats().disk?.lagged).toBeGreaterThan(0);
  });

  it('yields to what is put while it is read', async () => {
    const of = await withCold(filled(3 * mib, 1));
    const loading = of.load('a', 'p');
    of.put('a', 'p', 'newer');
    const lease = await loading;
    expect(lease?.text()).toBe('newer');
    lease?.release();
  });

  it('is gone when it is deleted while it is read', async () => {
    const of = await withCold(filled(3 * mib, 1));
    const loading = of.load('a', 'p');
    of.delete('a', 'p');
    expect(await loading).toBeUndefined();
    expect(of.get('a', 'p')).toBeUndefined();
  });

  it('stays where it is when the wait is aborted', async () => {
    const of = await withCold(filled(3 * mib, 1));
    const stop = new AbortController();
    const loading = of.load('a', 'p', { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(loading).rejects.toMatchObject({ code: 'aborted' });
    expect(of.where('a', 'p')).toBe('disk');
    expectSound(of);
  });
});

describe('a damaged record', () => {
  async function damaged(data: Uint8Array | string, table: string): Promise<Pool> {
    const path = freshPath();
    const first = await diskPool(path, { capacityBytes: 8 * mib });
    first.put('a', 'p', data);
    await first.persist('a');
    evictAll(first);
    await first.close();
    const environment = await openEnvironment(join(path, 'disk'));
    const rows = openTable(environment, table);
    await environment.childTransaction(() => {
      for (const { key, value } of rows.getRange({})) {
        const changed = Buffer.from(value);
        changed.writeUInt8(changed.readUInt8(90) ^ 1, 90);
        rows.put(Buffer.from(key), changed);
      }
    });
    await environment.close();
    return diskPool(path);
  }

  it.each([
    ['whose bytes are in it', 'x'.repeat(100), 'parts'],
    ['whose bytes are in chunks', filled(mib, 3), 'chunks'],
  ])('%s is reported and never returned', async (_, data, table) => {
    const of = await damaged(data, table);
    await expect(of.load('a', 'p')).rejects.toMatchObject({ code: 'part_corrupt' });
    expect(of.get('a', 'p')).toBeUndefined();
    expect(of.stats().disk?.corrupt).toBe(1);
    expect(of.delete('a', 'p')).toBe(1);
    expect(await of.load('a', 'p')).toBeUndefined();
    expectSound(of);
  });

  it('in the place of another is not taken for it', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    for (const id of ['a', 'b']) first.put(id, 'p', `of ${id}`);
    await Promise.all([first.persist('a'), first.persist('b')]);
    evictAll(first);
    await first.close();
    const environment = await openEnvironment(join(path, 'disk'));
    const parts = openTable(environment, 'parts');
    await environment.childTransaction(() => {
      parts.put(partKey('a', 'p'), Buffer.from(parts.get(partKey('b', 'p')) as Uint8Array));
    });
    await environment.close();
    const of = await diskPool(path);
    await expect(of.load('a', 'p')).rejects.toMatchObject({ code: 'part_corrupt' });
    expect(String(await loaded(of, 'b', 'p'))).toBe('of b');
  });
});

describe('a pool with a disk tier', () => {
  it('says when the disk is full, and goes on', async () => {
    const of = await diskPool(freshPath(), {
      tiers: { disk: { maxBytes: 100_000, reserveBytes: 0 } },
    });
    of.put('a', 'p', filled(50_000, 1));
    await of.persist('a');
    of.put('b', 'p', filled(60_000, 1));
    await expect(of.persist('b')).rejects.toMatchObject({ code: 'tier_full' });
    of.put('c', 'p', filled(1000, 1));
    await of.persist('c');
    of.delete('a');
    await of.persist('a');
    await of.persist('b');
    expect(of.stats().disk?.usedBytes).toBeLessThan(100_000);
  });

  it('refuses the memory of another pool', async () => {
    const one = freshPath();
    const disk = join(one, 'disk');
    await (await diskPool(one)).close();
    const other = freshPath();
    const plain = await import('../../src/pool/open.ts');
    await (await plain.openPool({ path: other, capacityBytes: 4 * mib })).close();
    const tiers = { disk: { path: disk } };
    await expect(diskPool(other, { tiers })).rejects.toMatchObject({ code: 'pool_corrupt' });
  });

  it('is refused without a path', async () => {
    const { openPool } = await import('../../src/pool/open.ts');
    const tiers = { disk: {} };
    await expect(openPool({ tiers })).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
