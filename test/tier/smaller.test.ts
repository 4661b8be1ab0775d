/** A pool with a disk tier that is opened with less memory than it had: what has to go is told to the disk as at any other time. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { filled, freshPath, mib, pool } from '../pool/support/pools.ts';
import { diskPool, loaded } from './support/pools.ts';

const tiers = { disk: { reserveBytes: 0 } };

it('what is evicted at an opening with less memory does not come back in an older version', async () => {
  const path = freshPath();
  const first = await diskPool(path, { capacityBytes: 16 * mib });
  first.put('a', 'p', 'older');
  await first.persist('a');
  first.put('a', 'p', 'newer');
  for (let i = 0; i < 24; i++) first.put('filler', `p${i}`, filled(mib / 2, i));
  expect(first.where('a', 'p')).toBe('hot');
  await first.close();
  const of = await diskPool(path, { capacityBytes: 8 * mib });
  expect(of.stats()).toMatchObject({ capacityBytes: 8 * mib });
  expect(of.get('a', 'p')).toBeUndefined();
  expect(of.where('a', 'p')).toBeUndefined();
  expect(await loaded(of, 'a', 'p')).toBeUndefined();
});

it('an opening that finds no room for what is pinned leaves no journal, and the bound as it was', async () => {
  const path = freshPath();
  const first = await diskPool(path, { capacityBytes: 16 * mib });
  first.put('a', 'p', 'older');
  await first.persist('a');
  first.put('a', 'p', 'newer');
  for (let i = 0; i < 20; i++) first.put('kept', `p${i}`, filled(mib / 2, i), { pinned: true });
  await first.close();
  await expect(pool({ path, capacityBytes: 8 * mib, tiers })).rejects.toMatchObject({
    code: 'pool_full',
  });
  const left = readdirSync(join(path, 'disk')).filter((name) => name.startsWith('doomed-'));
  expect(left).toEqual([]);
  const of = await diskPool(path);
  expect(of.stats()).toMatchObject({ capacityBytes: 16 * mib, parts: 20 });
  expect(await loaded(of, 'a', 'p')).toBeUndefined();
});

it('a pool that is opened with more memory keeps an eighth of that free', async () => {
  const path = freshPath();
  await (await pool({ path, capacityBytes: 8 * mib, tiers: { disk: {} } })).close();
  const of = await pool({ path, capacityBytes: 32 * mib, tiers: { disk: {} } });
  expect(of.handle.disk?.reserveBytes).toBe(4 * mib);
});
