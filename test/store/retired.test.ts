/** Replaced parts that are still leased, by this thread and by one that joined: each goes with its last lease, in whatever order. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Lease, Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { seed } from '../support/seed.ts';

const parts = 500;

let pool: Pool;
let reader: Pool;

beforeEach(async () => {
  pool = await openPool({ capacityBytes: 16 * 2 ** 20 });
  reader = await openPool({ handle: pool.handle });
});

afterEach(async () => {
  await reader.close();
  await pool.close();
});

function replaceAllLeased(): Lease[] {
  const leases: Lease[] = [];
  for (let i = 0; i < parts; i++) {
    pool.put(`c${i}`, 'p', Uint8Array.of(i & 255));
    leases.push((i % 3 === 0 ? reader : pool).get(`c${i}`, 'p') as Lease);
    if (i % 4 === 0) leases.push(pool.get(`c${i}`, 'p') as Lease);
    if (i % 2 === 0) pool.delete(`c${i}`);
    else pool.put(`c${i}`, 'p', Uint8Array.of(0, 0));
  }
  return leases;
}

describe('retired parts', () => {
  it('go with their last lease', () => {
    const random = new Random(seed());
    const leases = replaceAllLeased();
    expect(pool.stats().retiredParts).toBe(parts);
    while (leases.length > 0) {
      const [lease] = leases.splice(random.below(leases.length), 1);
      lease?.release();
      if (random.below(50) > 0) continue;
      pool.sweepExpired();
      expect(pool.check().errors).toEqual([]);
    }
    pool.sweepExpired();
    expect(pool.stats().retiredParts).toBe(0);
    expect(pool.check().errors).toEqual([]);
  });
});
