/** Bytes that were replaced in place under a lease, and what comes after them. */

import assert from 'node:assert/strict';
import { describe, it, vi } from 'vitest';
import type { Lease, Pool } from '../../src/pool/api.ts';
import { bytesOf, filled, read } from '../pool/support/pools.ts';
import { Stage } from '../pool/support/interleaving.ts';
import { accessesOf, disarm, interrupt } from '../support/instrumented-words.ts';
import { leakedBlocks, type OwnedPool } from '../support/owned-memory.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const followers: readonly [name: string, then: (of: Pool) => unknown, sizeBytes: number][] = [
  ['replaced in place again', (of) => of.put('b', 'p', filled(110, 8)), 110],
  ['appended to', (of) => of.append('b', 'p', filled(5, 9)), 125],
  ['replaced by a larger one', (of) => of.put('b', 'p', filled(5000, 8)), 5000],
  ['deleted', (of) => of.delete('b'), 0],
];

const replace = (of: Pool): unknown => of.put('b', 'p', filled(120, 9));

/** A pool whose part `b/p` was replaced in place, and leased by another thread at access `k` of it. */
function leasedAt(stage: Stage, k: number): OwnedPool & { readonly lease: Lease | undefined } {
  const owned = stage.writer();
  const joined = stage.join();
  let lease: Lease | undefined;
  interrupt(k, () => (lease = joined.get('b', 'p')));
  replace(owned.pool);
  disarm();
  return { ...owned, lease };
}

describe.each(followers)(
  'a part that was replaced under a lease, and is then %s',
  (_, then, sizeBytes) => {
    it.each(['before', 'after'])('leaves nothing behind when the lease ends %s', (order) => {
      const stage = new Stage();
      const { pool: whole } = stage.writer();
      const accesses = accessesOf(() => replace(whole));
      let parked = 0;
      for (let k = 1; k <= accesses; k++) {
        const { pool, store, lease } = leasedAt(stage, k);
        parked += store.parked.size;
        const seen = lease === undefined ? '' : bytesOf(lease).toString('hex');
        if (order === 'before') lease?.release();
        then(pool);
        for (let i = 0; i < 8; i++) pool.put(`other-${i}`, 'p', filled(120, 0xee));
        if (order === 'after' && lease !== undefined) {
          assert.equal(bytesOf(lease).toString('hex'), seen, `access ${k}`);
          lease.release();
        }
        assert.equal(read(pool, 'b', 'p')?.length ?? 0, sizeBytes);
        pool.sweepExpired();
        assert.deepEqual(pool.check().errors, [], `access ${k}`);
        assert.deepEqual(leakedBlocks(store), [], `access ${k}`);
      }
      assert(parked > 0, 'no lease came in between');
    });
  },
);
