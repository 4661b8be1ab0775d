/** What a power loss has taken of the memory of a pool with a disk tier. */

import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { filled, freshPath, mib, read } from '../pool/support/pools.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, loaded } from './support/pools.ts';

const sizes = { capacityBytes: 16 * mib, segmentBytes: 4 * mib };

/** A pool of several segments, of which one part is on the disk. */
async function grown(path: string): Promise<void> {
  const pool = await diskPool(path, sizes);
  pool.put('kept', 'p', 'on the disk');
  await pool.persist('kept');
  for (let i = 0; i < 3; i++) pool.put('hot', `p${i}`, filled(2 * mib, i));
  await pool.close();
  expect(readdirSync(path)).toContain('segment-0001');
}

it('is made anew where segments are gone', async () => {
  const path = freshPath();
  await grown(path);
  for (const clean of [false, true]) {
    losePower(path, clean);
    rmSync(join(path, 'segment-0001'), { force: true });
    const pool = await diskPool(path, sizes);
    expect(String(read(pool, 'kept', 'p'))).toBe('on the disk');
    await pool.close();
  }
});

it('is damage, and nothing is removed, where the machine was up all the time', async () => {
  const path = freshPath();
  await grown(path);
  rmSync(join(path, 'segment-0001'));
  await expect(diskPool(path, sizes)).rejects.toThrow(
    expect.objectContaining({ code: 'pool_corrupt' }),
  );
  expect(readdirSync(path)).toContain('segment-0000');
});

it('is nothing after an orderly shutdown: memory that had reached its files is kept', async () => {
  const path = freshPath();
  await grown(path);
  losePower(path, true);
  const pool = await diskPool(path, sizes);
  expect(pool.where('hot', 'p2')).toBe('hot');
  await pool.close();
});

it('is all of it, where it was opened again after it had reached its files', async () => {
  const path = freshPath();
  await grown(path);
  const again = await diskPool(path, sizes);
  expect(again.where('hot', 'p2')).toBe('hot');
  // The machine goes down now; of this life only the first superblock is on the disk, as the one before had left it.
  losePower(path, true);
  const next = join(freshPath(), '..', 'next');
  cpSync(path, next, { recursive: true });
  rmSync(join(next, 'disk', 'lock.mdb'), { force: true });
  const pool = await diskPool(next, sizes);
  expect(pool.where('hot', 'p2')).toBeUndefined();
  expect(String(await loaded(pool, 'kept', 'p'))).toBe('on the disk');
  await pool.close();
  await again.close();
});
