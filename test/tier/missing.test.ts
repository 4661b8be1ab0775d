/** Without the package lmdb there is no disk tier, and everything else works. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import { freshPath, mib, pool } from '../pool/support/pools.ts';

vi.mock('lmdb', () => {
  throw Object.assign(new Error("Cannot find package 'lmdb'"), { code: 'ERR_MODULE_NOT_FOUND' });
});

it('a pool says what to install, and opens without a disk tier', async () => {
  const path = freshPath();
  const opening = openPool({ path, capacityBytes: 4 * mib, tiers: { disk: {} } });
  await expect(opening).rejects.toMatchObject({
    code: 'lmdb_missing',
    advice: expect.stringContaining('npm install lmdb') as unknown,
  });
  expect(existsSync(join(path, 'disk'))).toBe(false);
  const of = await pool({ path });
  of.put('a', 'p', 'x');
  await expect(of.persist('a')).rejects.toMatchObject({ code: 'tier_unavailable' });
  await expect(of.load('a', 'q')).rejects.toMatchObject({ code: 'tier_unavailable' });
  expect(of.where('a', 'p')).toBe('hot');
  (await of.load('a', 'p'))?.release();
});
