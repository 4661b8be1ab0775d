/** A deletion of several parts that its owner dies over, where who completes it in memory has no disk tier yet: nothing of it comes back from the disk. */

import { cpSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Audit } from '../../src/store/hooks.ts';
import { expectSound, freshPath, testClock } from '../pool/support/pools.ts';
import { diskPool, loaded } from './support/pools.ts';

const parts = ['p', 'q', 'r'];

/** @returns the folder of what a death at the second part of a deletion leaves: of the third nothing has been said yet */
function leavingAtSecond(path: string): { readonly left: string; readonly audit: Audit } {
  const left = `${path}-left`;
  let deleted = 0;
  const record = (action: string): void => {
    if (action === 'delete' && ++deleted === 2) cpSync(path, left, { recursive: true });
  };
  return { left, audit: { record } };
}

it('a context whose deletion was cut short in its midst does not come back from the disk', async () => {
  const path = freshPath();
  const { left, audit } = leavingAtSecond(path);
  const first = await diskPool(path, { hooks: { audit } });
  for (const part of parts) first.put('a', part, 'older');
  first.put('b', 'p', 'stays');
  await Promise.all([first.persist('a'), first.persist('b')]);
  first.put('a', 'q', 'newer');
  expect(first.delete('a')).toBe(3);
  const of = await diskPool(left);
  for (const part of parts) expect(of.where('a', part), part).toBeUndefined();
  for (const part of parts) expect(await loaded(of, 'a', part), part).toBeUndefined();
  expect(String(await loaded(of, 'b', 'p'))).toBe('stays');
  expect(of.stats().disk?.doomed).toBe(0);
  expectSound(of);
});

it('nor does a part of it whose time was over in memory only', async () => {
  const path = freshPath();
  const clock = testClock();
  const { left, audit } = leavingAtSecond(path);
  const first = await diskPool(path, { clock, hooks: { audit } });
  for (const part of parts) first.put('a', part, 'older');
  await first.persist('a');
  first.expire('a', 1000, 'q');
  clock.advance(2000);
  expect(first.delete('a')).toBe(2);
  const of = await diskPool(left, { clock });
  for (const part of parts) expect(await loaded(of, 'a', part), part).toBeUndefined();
});
