/**
 * Who changes the store holds the pen, not the lock of the region: each time that the index or the list of entries grows, another owner may just be
 * adding a segment, and this one is told that the pool is busy. What was told so has not happened, and all else has;
 * a failure behind a commit undoes nothing.
 */

import assert from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import type { Kind } from '../../src/alloc/kind.ts';
import { fail, hasCode } from '../../src/errors.ts';
import type { Ref } from '../../src/memory/region.ts';
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
const pointsMax: number = rounds(20, 120);

/** Enough for each table, and the list of entries, to grow twice. */
const parts = 1500;
/** Enough for frees of each sort. */
const fewParts = 120;

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

/** From call `n` on, one free of what is kept fails before it has freed anything: it is behind a commit. @returns how many there were */
function failFree({ store: { allocator } }: OwnedPool, n: number): () => number {
  const free = allocator.free.bind(allocator);
  let frees = 0;
  allocator.free = (ref: Ref, kind: Kind) => {
    let isKept = false;
    allocator.walk((block) => {
      if (block.ref === ref) isKept = block.kept;
    });
    if (isKept && ++frees === n) fail('io_failed', 'no descriptor for a segment');
    free(ref, kind);
  };
  return () => frees;
}

const idOf = (i: number): string => (i % 7 === 0 ? `${i}-${'x'.repeat(100)}` : `c-${i}`);

/** As `unlessBusy`; a failure behind the commit undoes nothing. */
function isDone(change: () => unknown): boolean {
  try {
    return unlessBusy(change);
  } catch (error) {
    if (hasCode(error, 'io_failed')) return true;
    throw error;
  }
}

/** Puts parts, replaces, extends and deletes some. @returns of those that are there the first byte and the size */
function fill(
  pool: Pool,
  count: number = parts,
): Map<number, readonly [first: number, sizeBytes: number]> {
  const there = new Map<number, readonly [number, number]>();
  const put = (i: number, sizeBytes: number, tags: string[]): void => {
    const data = filled(sizeBytes, i & 0xff);
    if (isDone(() => pool.put(idOf(i), 'p', data, { tags }))) there.set(i, [i & 0xff, sizeBytes]);
  };
  for (let i = 0; i < count; i++) {
    put(i, 60, i % 3 === 0 ? [`t-${i}`, `u-${i}`] : []);
    const other = i >> 1;
    const known = there.get(other);
    if (i % 5 === 0 && isDone(() => pool.delete(idOf(other), 'p'))) there.delete(other);
    else if (i % 4 === 0) put(other, 700, [`v-${i}`]);
    else if (i % 6 === 1 && known && isDone(() => pool.append(idOf(other), 'p', filled(900, 1))))
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

test('a free that fails behind a commit undoes nothing, and what was under way is brought in order', () => {
  const undisturbed = opened();
  const frees = failFree(undisturbed, Infinity);
  fill(undisturbed.pool, fewParts);
  const all = frees();
  expect(all).toBeGreaterThan(10);
  for (const n of pointsOf(all, pointsMax)) {
    const owned = opened();
    failFree(owned, n);
    const there = fill(owned.pool, fewParts);
    owned.pool.put('last', 'p', 'x');
    const when = `free ${n} of ${all}`;
    assert.deepEqual(owned.pool.check().errors, [], when);
    assert.deepEqual(leakedBlocks(owned.store), [], when);
    for (let i = 0; i < fewParts; i++)
      assert.deepEqual(seen(owned.pool, i), there.get(i), `${when}: part ${i}`);
  }
});
