/** Compaction: free memory comes together, nothing is lost, and what is leased stays where it is. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import type { Lease, Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { read, refuses } from '../pool/support/pools.ts';
import { seed } from '../support/seed.ts';

const mib = 2 ** 20;
const kib = 1024;

let pool: Pool;
let reader: Pool;

beforeEach(async () => {
  pool = await openPool({ capacityBytes: 64 * mib, segmentBytes: 16 * mib });
  reader = await openPool({ handle: pool.handle });
});

afterEach(async () => {
  await reader.close();
  await pool.close();
});

/** Fills the pool with parts of many sizes, and deletes two of three: free memory is in pieces. */
function fragment(random: Random): Map<string, Buffer> {
  const kept = new Map<string, Buffer>();
  for (let i = 0; pool.stats().operations.evictions === 0; i++) {
    const bytes = Buffer.alloc(5 * kib + random.below(200 * kib), i & 255);
    pool.put(`c${i}`, 'p', bytes, i % 7 === 0 ? { sensitive: true } : {});
    kept.set(`c${i}`, bytes);
  }
  for (const id of kept.keys()) {
    if (random.below(3) > 0 || pool.where(id, 'p') === undefined) {
      pool.delete(id);
      kept.delete(id);
    }
  }
  return kept;
}

function compactAll(): number {
  let moved = 0;
  for (let call = 0; call < 1000; call++) {
    const { movedParts, movedBytes, done } = pool.compact(4 * mib);
    assert(movedBytes < 4 * mib + 206 * kib);
    moved += movedParts;
    if (done) return moved;
  }
  return assert.fail('compaction has no end');
}

function expectAll(kept: ReadonlyMap<string, Buffer>, of: Pool): void {
  for (const [id, bytes] of kept) assert(read(of, id, 'p')?.equals(bytes), id);
  expect(pool.check().errors).toEqual([]);
}

describe('compaction', () => {
  it('brings free memory together and loses nothing', () => {
    const kept = fragment(new Random(seed()));
    const before = pool.stats();
    const versions = [...kept.keys()].map((id) => pool.describe(id, 'p')?.version);
    expect(compactAll()).toBeGreaterThan(0);
    const after = pool.stats();
    expect(after.memory.largestFreeRunBytes).toBeGreaterThan(before.memory.largestFreeRunBytes);
    expect(after.memory.liveBytes).toBe(before.memory.liveBytes);
    expect(after.operations.moves).toBeGreaterThan(0);
    expect([...kept.keys()].map((id) => pool.describe(id, 'p')?.version)).toEqual(versions);
    expectAll(kept, pool);
    expectAll(kept, reader);
  });

  it('leaves what is leased in its place', () => {
    const kept = fragment(new Random(seed()));
    const leases = [...kept.keys()].map(
      (id, i) => (i % 2 === 0 ? pool : reader).get(id, 'p') as Lease,
    );
    expect(compactAll()).toBe(0);
    expectAll(kept, pool);
    for (const lease of leases) lease.release();
    expect(compactAll()).toBeGreaterThan(0);
    expectAll(kept, reader);
  });

  it('moves what was read before, and nothing when all is in order', () => {
    const kept = fragment(new Random(seed()));
    compactAll();
    expect(compactAll()).toBe(0);
    expectAll(kept, pool);
  });

  it('moves what another has put into a segment that came since', () => {
    pool.put('gap', 'p', new Uint8Array(14 * mib));
    const bytes = Buffer.alloc(10 * mib, 7);
    pool.put('a', 'p', bytes);
    pool.delete('gap');
    expect(reader.compact().movedParts).toBe(1);
    expectAll(new Map([['a', bytes]]), pool);
  });

  it('is done for a large part before anything is evicted for it', () => {
    const kept = fragment(new Random(seed()));
    const { freeBytes, largestFreeRunBytes } = pool.stats().memory;
    const sizeBytes = Math.min(freeBytes / 4, 15 * mib);
    assert(sizeBytes > largestFreeRunBytes, 'memory is not in pieces');
    const { evictions } = pool.stats().operations;
    pool.put('large', 'p', new Uint8Array(sizeBytes));
    expect(pool.stats().operations.evictions).toBe(evictions);
    expectAll(kept, pool);
  });

  it('leaves a part that is damaged, and counts it', () => {
    for (const id of fragment(new Random(seed())).keys()) {
      const lease = pool.get(id, 'p') as Lease;
      (lease.data as Uint8Array)[0] = 0x55 ^ (lease.data[0] as number);
      lease.release();
    }
    expect(compactAll()).toBe(0);
    expect(pool.stats().operations.corruptParts).toBeGreaterThan(0);
    expect(pool.check().ok).toBe(false);
  });

  it('leaves no copy of a secret that it does not move', () => {
    pool.put('gap', 'p', new Uint8Array(40 * kib));
    const random = new Random(seed());
    const secret = Buffer.from(Array.from({ length: 20 * kib }, () => random.below(256)));
    pool.put('secret', 'p', secret, { sensitive: true });
    pool.delete('gap');
    const lease = pool.get('secret', 'p') as Lease;
    const memory = Buffer.from(lease.data.buffer);
    (lease.data as Uint8Array)[0] = 0;
    lease.release();
    expect(pool.compact().movedParts).toBe(0);
    const { corruptParts } = pool.stats().operations;
    expect(corruptParts).toBe(1);
    const end = secret.subarray(-2000);
    expect(memory.indexOf(end)).toBe(memory.lastIndexOf(end));
  });

  it('moves nothing where the budget allows no second copy, and gives back what it reserved', async () => {
    let reserved = 0;
    let isTight = false;
    const budget = {
      reserve(_kind: string, sizeBytes: number): void {
        if (isTight) throw new CenoteError('budget_exceeded', 'tight');
        reserved += sizeBytes;
      },
      refund(_kind: string, sizeBytes: number): void {
        reserved -= sizeBytes;
      },
    };
    await pool.close();
    pool = await openPool({ capacityBytes: 16 * mib, hooks: { budget } });
    pool.put('gap', 'p', new Uint8Array(40 * kib));
    pool.put('a', 'p', new Uint8Array(20 * kib));
    pool.delete('gap');
    const before = reserved;
    isTight = true;
    expect(pool.compact()).toEqual({ movedParts: 0, movedBytes: 0, done: true });
    isTight = false;
    expect(pool.compact().movedParts).toBe(1);
    expect(reserved).toBe(before);
    expect(pool.check().errors).toEqual([]);
  });

  it('refuses what is no limit', () => {
    for (const limit of [0, -1, 1.5, Number.NaN])
      refuses(() => pool.compact(limit), 'invalid_argument');
  });
});
