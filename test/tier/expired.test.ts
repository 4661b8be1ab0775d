/** Parts on the disk whose time is over: they are nowhere to be found, and their records go. */

import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { partKey } from '../../src/tier/disk-key.ts';
import { openEnvironment, openTable } from '../../src/tier/lmdb.ts';
import { filled, freshPath, mib, type TestClock, testClock } from '../pool/support/pools.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

const ttlMs = 60_000;

interface Met {
  readonly of: Pool;
  readonly clock: TestClock;
  readonly path: string;
}

/** A pool with parts `p` and `q` (large, with a tag) of context `a` on the disk only, which end, and part `p` of `b`, which does not. */
async function met(): Promise<Met> {
  const clock = testClock();
  const path = freshPath();
  const of = await diskPool(path, {
    clock,
    capacityBytes: 8 * mib,
    tiers: { disk: { versions: 3 } },
  });
  of.put('b', 'p', 'stays');
  of.put('a', 'p', 'earlier', { ttlMs });
  await of.persist('a');
  of.put('a', 'p', 'cold', { ttlMs, tags: ['t'] });
  of.put('a', 'q', filled(mib, 1), { ttlMs, tags: ['t'] });
  await Promise.all([of.persist('a'), of.persist('b')]);
  evictAll(of);
  expect(of.coldParts('a')).toEqual(['p', 'q']);
  return { of, clock, path };
}

/** Looks at everything, in as many calls as it takes. */
function sweepAll(of: Pool, times = 3): number {
  let removed = 0;
  for (let i = 0; i < times; i++) removed += of.sweepExpired();
  return removed;
}

it('a record whose time is over is removed, with its chunks, its tags and its earlier versions', async () => {
  const { of, clock } = await met();
  of.delete('b');
  expect(sweepAll(of)).toBe(0);
  clock.advance(ttlMs);
  expect(sweepAll(of)).toBe(2);
  await of.persist('a');
  expect(of.stats().disk).toMatchObject({ usedBytes: 0, doomed: 0 });
  expect(of.invalidate({ tag: 't' })).toBe(0);
});

it('a record whose time is not over stays', async () => {
  const { of, clock } = await met();
  clock.advance(ttlMs);
  sweepAll(of);
  expect(String(await loaded(of, 'b', 'p'))).toBe('stays');
});

it('a part whose time is over on the disk is neither told of nor counted', async () => {
  const { of, clock } = await met();
  clock.advance(ttlMs);
  expect(of.coldParts('a')).toEqual([]);
  expect(of.invalidate({ tag: 't' })).toBe(0);
  expect(of.delete('a', 'p')).toBe(0);
  expect(of.delete('a')).toBe(0);
  of.delete('b');
  await of.persist('b');
  expect(of.stats().disk?.usedBytes).toBe(0);
});

it('the record of a part that is in memory with more time stays until it is written anew', async () => {
  const { of, clock, path } = await met();
  await loaded(of, 'a', 'p');
  of.expire('a', 3 * ttlMs, 'p');
  clock.advance(ttlMs);
  expect(sweepAll(of)).toBe(1);
  expect(of.where('a', 'p')).toBe('hot');
  await of.persist('a');
  evictAll(of);
  expect(String(await loaded(of, 'a', 'p'))).toBe('cold');
  await of.close();
  const again = await diskPool(path, { clock });
  expect(String(await loaded(again, 'a', 'p'))).toBe('cold');
});

it('a few records are looked at in a call, and all of them in some', async () => {
  const clock = testClock();
  const of = await diskPool(freshPath(), { clock, capacityBytes: 8 * mib });
  for (let i = 0; i < 300; i++) of.put('a', `p${i}`, filled(10, i), { ttlMs });
  await of.persist('a');
  evictAll(of);
  clock.advance(ttlMs);
  expect(of.sweepExpired(0)).toBe(0);
  expect(of.sweepExpired(7)).toBe(7);
  const some = of.sweepExpired();
  expect(some).toBeLessThan(200);
  expect(7 + some + sweepAll(of, 6)).toBe(300);
  await of.persist('a');
  expect(of.stats().disk?.usedBytes).toBe(0);
});

it('a record that another owner has written anew meanwhile is not taken for over', async () => {
  const { of, clock, path } = await met();
  clock.advance(ttlMs);
  const other = await diskPool(path, { clock });
  sweepAll(of, 1);
  other.put('a', 'p', 'anew');
  await other.persist('a');
  sweepAll(of);
  await of.persist('a');
  expect(String(await loaded(of, 'a', 'p'))).toBe('anew');
});

it('a damaged record is not over, whatever it says: who asks for it is told', async () => {
  const { of, clock, path } = await met();
  await of.close();
  const environment = await openEnvironment(join(path, 'disk'));
  const parts = openTable(environment, 'parts');
  await environment.childTransaction(() => {
    const changed = Buffer.from(parts.get(partKey('b', 'p')) as Uint8Array);
    changed.writeUInt8(1, 16);
    parts.put(partKey('b', 'p'), changed);
  });
  await environment.close();
  const again = await diskPool(path, { clock });
  expect(sweepAll(again)).toBe(0);
  await expect(again.load('b', 'p')).rejects.toMatchObject({ code: 'part_corrupt' });
  expect(again.coldParts('b')).toEqual(['p']);
  expect(again.delete('b')).toBe(1);
});
