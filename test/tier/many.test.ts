/** Several owners of a pool with a disk tier: what one deletes is gone for all, at once; what one has died over, others complete. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { expectSound, filled, freshPath, mib, pool, read } from '../pool/support/pools.ts';
import { runToEnd } from '../support/children.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

const doomer = fileURLToPath(new URL('fixtures/doomer.mjs', import.meta.url));

async function two(path: string = freshPath()): Promise<[Pool, Pool]> {
  const one = await diskPool(path, { capacityBytes: 8 * mib });
  return [one, await diskPool(path)];
}

it('what one owner has persisted another finds, brings back and deletes', async () => {
  const path = freshPath();
  const [one, other] = await two(path);
  const version = one.put('a', 'p', 'cold', { tags: ['t'] });
  await one.persist('a');
  // It lies among what the one may still fill: it is let go when the other has asked for it.
  evictAll(other);
  one.sweepExpired();
  evictAll(other);
  expect([one.where('a', 'p'), other.where('a', 'p')]).toEqual(['disk', 'disk']);
  const lease = await other.load('a', 'p');
  expect(lease?.version).toBe(version);
  lease?.release();
  expect(String(read(one, 'a', 'p'))).toBe('cold');
  evictAll(one);
  expect(one.invalidate({ tag: 't' })).toBe(1);
  expectSound(other);
});

it('what one owner deletes another does not find, before the disk knows of it', async () => {
  const [one, other] = await two();
  one.put('a', 'p', 'cold');
  one.put('b', 'p', 'hot');
  await Promise.all([one.persist('a'), one.persist('b')]);
  evictAll(one);
  await loaded(one, 'b', 'p');
  expect(one.delete('a', 'p')).toBe(1);
  expect(one.delete('b')).toBe(1);
  // In the same turn: nothing has reached the disk.
  expect([other.where('a', 'p'), other.where('b', 'p')]).toEqual([undefined, undefined]);
  expect([other.delete('a', 'p'), other.delete('b')]).toEqual([0, 0]);
  expect(await loaded(other, 'a', 'p')).toBeUndefined();
});

it('a part that one owner deletes while another reads it from the disk does not come back', async () => {
  const [one, other] = await two();
  one.put('a', 'p', filled(3 * mib, 1));
  await one.persist('a');
  evictAll(one);
  const loading = other.load('a', 'p');
  expect(one.delete('a', 'p')).toBe(1);
  expect(await loading).toBeUndefined();
  expect(one.get('a', 'p')).toBeUndefined();
});

it('a part that one owner deletes while another writes it to the disk does not come back', async () => {
  const path = freshPath();
  const [one, other] = await two(path);
  one.put('a', 'p', filled(3 * mib, 1));
  const persisting = one.persist('a');
  other.delete('a', 'p');
  await persisting;
  await other.persist('a');
  expect(await loaded(one, 'a', 'p')).toBeUndefined();
  await one.close();
  await other.close();
  losePower(path);
  const again = await diskPool(path);
  expect(await loaded(again, 'a', 'p')).toBeUndefined();
});

it.each([
  ['a part', 'a', 'p'],
  ['a context', 'a', undefined],
])(
  '%s that is deleted while it waits to be written is not written for another of its name',
  async (_, id, part) => {
    const path = freshPath();
    const of = await diskPool(path, { capacityBytes: 8 * mib });
    of.put('a', 'p', 'deleted');
    const persisting = of.persist('a');
    of.delete(id, part);
    of.put('a', 'p', 'never persisted');
    await persisting;
    await of.close();
    losePower(path);
    const again = await diskPool(path);
    expect(await loaded(again, 'a', 'p')).toBeUndefined();
  },
);

it('a part that one owner deletes while its record is on the way to the disk does not come back', async () => {
  const path = freshPath();
  let other: Pool | undefined;
  const onStep = (step: string): void => {
    // Within the transaction, behind all that it looks at.
    if (step === 'disk:written') other?.delete('a', 'p');
  };
  const one = await diskPool(path, { tiers: { disk: { onStep } } });
  const late = await diskPool(path);
  one.put('a', 'p', 'on its way');
  other = late;
  await one.persist('a');
  other = undefined;
  await late.persist('a');
  expect(await loaded(one, 'a', 'p')).toBeUndefined();
  await one.close();
  await late.close();
  losePower(path);
  const again = await diskPool(path);
  expect(await loaded(again, 'a', 'p')).toBeUndefined();
});

it('two owners that persist the same part at once leave one record of it', async () => {
  const path = freshPath();
  const [one, other] = await two(path);
  one.put('a', 'p', filled(3 * mib, 1));
  await Promise.all([one.persist('a'), other.persist('a')]);
  const { usedBytes = 0 } = one.stats().disk ?? {};
  expect(Math.min(usedBytes, other.stats().disk?.usedBytes ?? 0)).toBeLessThan(3.2 * mib);
  await one.close();
  await other.close();
  losePower(path);
  const again = await diskPool(path);
  expect(read(again, 'a', 'p')?.equals(filled(3 * mib, 1))).toBe(true);
});

it('what an owner deleted and died over stays deleted', async () => {
  const path = freshPath();
  const one = await diskPool(path, { capacityBytes: 8 * mib });
  one.put('a', 'p', 'deleted by one who dies');
  one.put('a', 'q', 'likewise');
  await one.persist('a');
  evictAll(one);
  await loaded(one, 'a', 'q');
  const { signal, stderr } = runToEnd(process.execPath, [doomer, path, 'a']);
  expect(signal, stderr).toBe('SIGKILL');
  expect(one.where('a', 'p')).toBeUndefined();
  expect(await loaded(one, 'a', 'q')).toBeUndefined();
  await one.persist('a');
  expect(journals(path)).toHaveLength(1);
  await one.close();
  expect(journals(path)).toHaveLength(0);
  losePower(path);
  const again = await diskPool(path);
  expect(await loaded(again, 'a', 'p')).toBeUndefined();
  expect(await loaded(again, 'a', 'q')).toBeUndefined();
});

it('a pool that is joined by its handle has the disk tier too', async () => {
  const [one] = await two();
  one.put('a', 'p', 'cold');
  await one.persist('a');
  evictAll(one);
  const joined = await openPool({ handle: structuredClone(one.handle) });
  expect(joined.hasDisk).toBe(true);
  expect(String(await loaded(joined, 'a', 'p'))).toBe('cold');
  joined.delete('a');
  await joined.persist('a');
  await joined.close();
  expect(await loaded(one, 'a', 'p')).toBeUndefined();
});

it('is refused to who would change its parts and not its disk', async () => {
  const path = freshPath();
  const one = await diskPool(path);
  await expect(pool({ path })).rejects.toMatchObject({ code: 'invalid_argument' });
  await one.close();
  await expect(pool({ path })).rejects.toMatchObject({ code: 'invalid_argument' });
  const looking = await openPool({ path, readOnly: true });
  expect(looking.contextCount).toBe(0);
  await looking.close();
});

function journals(path: string): string[] {
  return readdirSync(join(path, 'disk')).filter((name) => name.startsWith('doomed-'));
}
