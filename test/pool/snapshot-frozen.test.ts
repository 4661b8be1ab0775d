/** A snapshot where files cannot be mapped: pages of a pool that nobody changes meanwhile. */

import { expect, it, vi } from 'vitest';
import { CenoteError } from '../../src/errors.ts';
import type * as Mapped from '../../src/memory/mapped.ts';
import { restorePool } from '../../src/pool/snapshot.ts';
import { openPool } from '../../src/pool/open.ts';
import { contents, expectSound, filled, freshPath, mib, pool, refuses } from './support/pools.ts';

const machine = vi.hoisted(() => ({ canMap: true }));

vi.mock('../../src/memory/mapped.ts', async (original) => {
  const real = await original<typeof Mapped>();
  const openMappedRegion: typeof real.openMappedRegion = (...args) => {
    if (!machine.canMap) throw new CenoteError('koffi_missing', 'This machine cannot map files.');
    return real.openMappedRegion(...args);
  };
  return { ...real, openMappedRegion };
});

it('holds what the pool held, is restored and opens as a pool elsewhere', async () => {
  const of = await pool({ capacityBytes: 8 * mib });
  for (let i = 0; i < 50; i++) of.put(`${i}`, 'p', filled(50_000, i), { tags: [`t${i % 3}`] });
  for (let i = 0; i < 50; i += 3) of.delete(`${i}`);
  const before = contents(of);
  const copy = freshPath();
  machine.canMap = false;
  await of.snapshot(copy);
  of.put('after', 'p', 'not in it');
  machine.canMap = true;
  const restored = freshPath();
  await restorePool(copy, restored);
  const again = await pool({ path: restored });
  expect(contents(again)).toEqual(before);
  expectSound(again);
  expectSound(of);
});

it('is refused when another owner has grown the pool meanwhile', async () => {
  const of = await pool({ capacityBytes: 16 * mib, segmentBytes: 4 * mib });
  of.put('a', 'p', filled(50_000, 1));
  const other = await openPool({ handle: of.handle, lockWaitMs: 0 });
  let isGrown = false;
  const onProgress = (): void => {
    if (isGrown) return;
    isGrown = true;
    refuses(() => other.put('b', 'p', filled(2 * mib, 2)), 'pool_busy'); // it has the room, but not the pen
  };
  machine.canMap = false;
  await expect(of.snapshot(freshPath(), { onProgress })).rejects.toMatchObject({
    code: 'pool_busy',
  });
  machine.canMap = true;
  expect(isGrown).toBe(true);
  await other.close();
  expectSound(of);
});
