/**
 * The race of four steps: a reader reads an entry, an evictor reads the entry's lease bits, the reader sets its bit, the evictor frees. Each of the
 * two is interrupted at every access by the whole of the other: the reader gets nothing, or bytes that stay while it has them.
 */

import assert from 'node:assert/strict';
import { expect, it, vi } from 'vitest';
import type { Lease } from '../../src/pool/api.ts';
import { withPen } from '../../src/store/pen.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { leakedBlocks, type OwnedPool } from '../support/owned-memory.ts';
import { Stage, unlessBusy } from './support/interleaving.ts';
import { bytesOf, filled } from './support/pools.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** A pool of which only the part `p` of `a` may go. */
function evictable(stage: Stage): OwnedPool {
  const owned = stage.writer();
  for (const { id } of owned.pool.list()) owned.pool.pin(id);
  owned.pool.unpin('a', 'p');
  return owned;
}

function evict({ store }: OwnedPool): boolean {
  return withPen(store, () => store.evictor.evictOne());
}

/** Accesses of `work`. */
function count(work: () => unknown): number {
  interrupt(Infinity, () => undefined);
  work();
  disarm();
  return accessCount();
}

/** Writes other bytes wherever memory is free, and looks at what is leased. */
function verify({ pool, store }: OwnedPool, lease: Lease | undefined, when: string): void {
  for (let i = 0; i < 40; i++) pool.put(`new-${i}`, 'p', filled(1000, 0xee));
  if (lease !== undefined) {
    assert(bytesOf(lease).equals(Buffer.alloc(1000, 1)), `${when}: the bytes have changed`);
  }
  lease?.release();
  pool.sweepExpired();
  assert.equal(pool.stats().retiredParts, 0, when);
  assert.deepEqual(pool.check().errors, [], when);
  assert.deepEqual(leakedBlocks(store), [], when);
}

it('an evictor between any two accesses of a reader takes nothing that it leases', () => {
  const stage = new Stage();
  evictable(stage);
  const reader = stage.join();
  const accesses = count(() => reader.get('a', 'p'));
  let leased = 0;
  for (let k = 1; k <= accesses; k++) {
    const owner = evictable(stage);
    const other = stage.join();
    interrupt(k, () => evict(owner));
    const lease = other.get('a', 'p');
    disarm();
    if (lease !== undefined) leased++;
    verify(owner, lease, `access ${k} of ${accesses}`);
  }
  expect(leased).toBeGreaterThan(0);
  expect(leased).toBeLessThan(accesses);
});

it('a reader between any two accesses of an evictor leases what stays, or nothing', () => {
  const stage = new Stage();
  const counted = evictable(stage);
  stage.join();
  const accesses = count(() => evict(counted));
  let leased = 0;
  for (let k = 1; k <= accesses; k++) {
    const owner = evictable(stage);
    const reader = stage.join();
    let lease: Lease | undefined;
    interrupt(k, () => (lease = reader.get('a', 'p')));
    unlessBusy(() => evict(owner));
    disarm();
    if (lease !== undefined) leased++;
    verify(owner, lease, `access ${k} of ${accesses}`);
  }
  expect(leased).toBeGreaterThan(0);
  expect(leased).toBeLessThan(accesses);
});
