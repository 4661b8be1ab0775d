/** Who has the pen dies, and others who live have leases: whoever brings the store in order leaves alone what they read. */

import assert from 'node:assert/strict';
import { describe, it, vi } from 'vitest';
import type { Lease, Pool } from '../../src/pool/api.ts';
import { reuse, Stage } from '../pool/support/interleaving.ts';
import { bytesOf, filled } from '../pool/support/pools.ts';
import { accessesOf, disarm, interrupt } from '../support/instrumented-words.ts';
import { leakedBlocks, type OwnedPool } from '../support/owned-memory.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const long = 'r'.repeat(200);

/** Leases that one owner has of the parts of another, which has died with the pen in its hand. */
interface Wreck {
  readonly stage: Stage;
  readonly reader: OwnedPool;
  readonly leases: readonly Lease[];
  /** What they show. */
  readonly shown: readonly string[];
}

type Heir = (wreck: Wreck) => OwnedPool;

const heirs: readonly [name: string, heir: Heir][] = [
  ['the reader itself', ({ reader }) => reader],
  ['one that opens the pool', ({ stage }) => stage.another()],
  ['one in the place of the dead', ({ stage }) => stage.recovered()],
];

const replaceInPlace = (of: Pool): unknown => of.put('b', 'p', filled(120, 9));

/** @param k the access of the replacement in place before which its part is leased @returns undefined where no bytes wait */
function wreckAt(stage: Stage, k: number): Wreck | undefined {
  const first = stage.writer();
  const reader = stage.another();
  const leases: Lease[] = [];
  const lease = (id: string, part: string): void => {
    leases.push(reader.pool.get(id, part) as Lease);
  };
  interrupt(k, () => lease('b', 'p'));
  replaceInPlace(first.pool);
  disarm();
  if (first.store.parked.size === 0) return undefined;
  for (const part of ['p', 'q', long]) lease('a', part);
  first.pool.put('a', 'p', filled(900, 9));
  first.pool.delete('a', 'q');
  assert.equal(first.store.retired.size, 2);
  first.store.pen.take();
  stage.firstDies();
  return { stage, reader, leases, shown: leases.map(hex) };
}

function hex(lease: Lease): string {
  return bytesOf(lease).toString('hex');
}

describe('what a living reader has leased from one who died with the pen', () => {
  it.each(heirs)('stays while %s brings the store in order, and goes with the lease', (_, heir) => {
    const stage = new Stage();
    const { pool: whole } = stage.writer();
    const accesses = accessesOf(() => replaceInPlace(whole));
    let count = 0;
    for (let k = 1; k <= accesses; k++) {
      const wreck = wreckAt(stage, k);
      if (wreck === undefined) continue;
      const { pool, store } = heir(wreck);
      pool.put('heir', 'p', 'text');
      const waiting = { parked: store.parked.size, retired: store.retired.size };
      assert.deepEqual(waiting, { parked: 1, retired: 2 }, `access ${k}`);
      reuse(pool);
      assert.deepEqual(wreck.leases.map(hex), wreck.shown, `access ${k}`);
      for (const lease of wreck.leases) lease.release();
      pool.sweepExpired();
      assert.deepEqual([store.parked.size, store.retired.size], [0, 0]);
      assert.deepEqual(pool.check().errors, [], `access ${k}`);
      assert.deepEqual(leakedBlocks(store), [], `access ${k}`);
      count++;
    }
    assert(count > 0, 'no bytes were replaced under a lease');
  });
});
