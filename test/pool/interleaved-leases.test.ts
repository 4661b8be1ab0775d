/**
 * A writer takes a part away, and between any two of its memory accesses a thread that joined leases that part: what it got is whole, and stays
 * as it is until it is given back, whatever the writer puts into memory meanwhile. Nothing is left of it afterwards.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import type { Lease, Pool } from '../../src/pool/api.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { leakedBlocks, type OwnedPool } from '../support/owned-memory.ts';
import { points, putAndMove, reuse, Stage } from './support/interleaving.ts';
import { bytesOf, filled, read } from './support/pools.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const writes: readonly [name: string, write: (of: Pool) => unknown, id?: string][] = [
  ['replaces the part', (of) => of.put('a', 'p', filled(900, 9))],
  ['replaces the part in place', (of) => of.put('b', 'p', filled(120, 9)), 'b'],
  ['appends into a larger block', (of) => of.append('a', 'p', filled(5000, 9))],
  ['appends in place', (of) => of.append('a', 'p', filled(20, 9))],
  ['puts it elsewhere and moves it', putAndMove],
  ['deletes the part', (of) => of.delete('a', 'p')],
  ['deletes the context', (of) => of.delete('a')],
  ['invalidates its tag', (of) => of.invalidate({ tag: 't' })],
  [
    'commits a draft in its place',
    (of) => {
      const draft = of.beginPut('a', 'p', 900);
      draft.write(filled(900, 9));
      draft.commit();
    },
  ],
];

/** What a lease shows, or nothing. */
function shown(lease: Lease | undefined): string | undefined {
  return lease === undefined ? undefined : bytesOf(lease).toString('hex');
}

/** Points per operation with CI=true: all but those of a growing index. */
const pointsMax = 1000;

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`leased at accesses of\n${covered.join('\n')}\n`);
});

/** Runs `write`, and at its access `k` a thread that joined leases the part. */
function leaseAt(stage: Stage, k: number, write: (of: Pool) => unknown, id: string): Leased {
  const owned = stage.writer();
  const joined = stage.join();
  let lease: Lease | undefined;
  interrupt(k, () => (lease = joined.get(id, 'p')));
  write(owned.pool);
  disarm();
  return { ...owned, lease };
}

interface Leased extends OwnedPool {
  readonly lease: Lease | undefined;
}

/** Expects that the lease keeps showing what it shows while memory is used for something else, and that nothing is left of it afterwards. */
function expectHeld({ pool, store, lease }: Leased, seen: string | undefined, when: string): void {
  reuse(pool);
  assert.equal(shown(lease), seen, when);
  lease?.release();
  pool.sweepExpired();
  assert.equal(pool.stats().retiredParts, 0);
  assert.equal(store.parked.size, 0);
  assert.deepEqual(pool.check().errors, []);
  assert.deepEqual(leakedBlocks(store), []);
}

describe.each(writes)('a lease that is taken while the writer %s', (name, write, id = 'a') => {
  it('holds what it shows', () => {
    const stage = new Stage();
    const { pool: first } = stage.writer();
    const before = read(first, id, 'p')?.toString('hex');
    interrupt(Infinity, () => undefined);
    write(first);
    const accesses = accessCount();
    disarm();
    const after = read(first, id, 'p')?.toString('hex');
    let count = 0;
    for (const k of points(accesses, pointsMax)) {
      const leased = leaseAt(stage, k, write, id);
      const seen = shown(leased.lease);
      assert([before, after].includes(seen), `access ${k} of ${accesses}: ${seen}`);
      expectHeld(leased, seen, `access ${k}`);
      const again = leaseAt(stage, k, write, id);
      expectHeld({ ...stage.recovered(), lease: again.lease }, seen, `access ${k}, recovered`);
      count++;
    }
    covered.push(`  ${name.padEnd(40)} ${count} of ${accesses}`);
  });
});
