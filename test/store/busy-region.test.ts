/**
 * Who changes the store holds the pen, not the lock of the region: each time that the index or the list of entries grows, another owner may just be
 * adding a segment, and this one is told that the pool is busy. What was told so has not happened, and all else has.
 */

import assert from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import { fail } from '../../src/errors.ts';
import type { Pool } from '../../src/pool/api.ts';
import type { Store } from '../../src/store/store.ts';
import {
  leakedBlocks,
  newMemory,
  type OwnedPool,
  ownPool,
  ownRegion,
  stillOptions,
} from '../support/owned-memory.ts';
import { pointsOf } from '../support/points.ts';
import { rounds } from '../support/seed.ts';
import { unlessBusy } from '../pool/support/interleaving.ts';
import { filled, mib, read } from '../pool/support/pools.ts';

/** Calls that are tried, of all. */
const pointsMax: number = rounds(40, 120);

/** Enough for each table, and the list of entries, to grow twice. */
const parts = 1500;

function opened(): OwnedPool {
  return ownPool(ownRegion(newMemory({ capacityBytes: 16 * mib })), stillOptions);
}

/** What of a store may find the region busy. */
const places = {
  commits: ({ region }: Store) => ({ of: region, name: 'commit' }) as const,
  allocations: ({ allocator }: Store) => ({ of: allocator, name: 'allocate' }) as const,
};

/** From call `n` on, `count` calls find the region busy. @returns how many calls there were */
function failCalls(
  { store }: OwnedPool,
  place: keyof typeof places,
  n: number,
  count: number,
): () => number {
  const { of, name } = places[place](store);
  const call = Reflect.get(of, name) as (...given: unknown[]) => unknown;
  let calls = 0;
  Reflect.set(of, name, (...given: unknown[]) => {
    calls++;
    if (calls >= n && calls < n + count) fail('pool_busy', 'another owner adds a segment');
    return call.apply(of, given);
  });
  return () => calls;
}

const idOf = (i: number): string => (i % 7 === 0 ? `${i}-${'x'.repeat(100)}` : `c-${i}`);

/** Puts parts, replaces, extends and deletes some. @returns of those that are there the first byte and the size */
function fill(pool: Pool): Map<number, readonly [first: number, sizeBytes: number]> {
  const there = new Map<number, readonly [number, number]>();
  const put = (i: number, sizeBytes: number, tags: string[]): void => {
    const data = filled(sizeBytes, i & 0xff);
    if (unlessBusy(() => pool.put(idOf(i), 'p', data, { tags })))
      there.set(i, [i & 0xff, sizeBytes]);
  };
  for (let i = 0; i < parts; i++) {
    put(i, 60, i % 3 === 0 ? [`t-${i}`, `u-${i}`] : []);
    const other = i >> 1;
    const known = there.get(other);
    if (i % 5 === 0 && unlessBusy(() => pool.delete(idOf(other), 'p'))) there.delete(other);
    else if (i % 4 === 0) put(other, 700, [`v-${i}`]);
    else if (
      i % 6 === 1 &&
      known &&
      unlessBusy(() => pool.append(idOf(other), 'p', filled(900, 1)))
    )
      there.set(other, [known[0], known[1] + 900]);
  }
  return there;
}

/** The same of what is found. */
function seen(pool: Pool, i: number): readonly [number, number] | undefined {
  const bytes = read(pool, idOf(i), 'p');
  return bytes && [bytes[0] as number, bytes.length];
}

describe.each(['commits', 'allocations'] as const)('a region that is busy for', (place) => {
  test.each([1, 2, 9])(`%i ${place}, from some on`, (count) => {
    const undisturbed = opened();
    const calls = failCalls(undisturbed, place, Infinity, 0);
    fill(undisturbed.pool);
    const all = calls();
    expect(all).toBeGreaterThan(10);
    for (const n of pointsOf(all, pointsMax)) {
      const owned = opened();
      failCalls(owned, place, n, count);
      const there = fill(owned.pool);
      const when = `${count} from call ${n} of ${all} on`;
      assert.deepEqual(owned.pool.check().errors, [], when);
      assert.deepEqual(leakedBlocks(owned.store), [], when);
      for (let i = 0; i < parts; i++)
        assert.deepEqual(seen(owned.pool, i), there.get(i), `${when}: part ${i}`);
    }
  });
});
