/** What goes when memory is full, by policy. */

import { describe, expect, it } from 'vitest';
import { policyNames } from '../../src/evict/policies.ts';
import type { OpenOptions, Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { Random } from '../../src/base/random.ts';
import { hasCode } from '../../src/errors.ts';
import { seed } from '../support/seed.ts';

const capacityBytes = 4 * 2 ** 20;
const partBytes = 4096;
const bytes = new Uint8Array(partBytes);

async function withPool(options: OpenOptions, work: (pool: Pool) => void): Promise<void> {
  const pool = await openPool({ capacityBytes, checksums: false, seed: seed(), ...options });
  try {
    work(pool);
    expect(pool.check().errors).toEqual([]);
  } finally {
    await pool.close();
  }
}

/** @returns whether it was there */
function use(pool: Pool, id: string): boolean {
  const lease = pool.get(id, 'p');
  lease?.release();
  if (lease === undefined) pool.put(id, 'p', bytes);
  return lease !== undefined;
}

describe.each(policyNames)('eviction: %s', (eviction) => {
  it('stays within the capacity, and spares what is pinned or leased', async () => {
    await withPool({ eviction }, (pool) => {
      pool.put('pinned', 'p', bytes, { pinned: true });
      pool.put('leased', 'p', bytes);
      const lease = pool.get('leased', 'p');
      const random = new Random(seed());
      for (let i = 0; i < 12_000; i++) use(pool, String(random.below(4000)));
      const stats = pool.stats();
      expect(stats.operations.evictions).toBeGreaterThan(1000);
      expect(stats.memory.reservedBytes).toBeLessThanOrEqual(capacityBytes);
      expect(pool.where('pinned', 'p')).toBe('hot');
      expect(pool.where('leased', 'p')).toBe('hot');
      lease?.release();
    });
  });
});

it.each(['lru', 'lfu'] as const)(
  'eviction: %s lets sessions that are over go first',
  async (eviction) => {
    await withPool({ eviction }, (pool) => {
      for (let i = 0; i < 800; i++) {
        pool.put(`s${i}`, 'p', bytes);
        if (i % 2 === 0) pool.hint(`s${i}`, { closed: true });
      }
      for (let i = 0; i < 500; i++) pool.put(`t${i}`, 'p', bytes);
      const isThere = (i: number): boolean => pool.where(`s${i}`, 'p') === 'hot';
      const halves = [0, 1].map((odd) => {
        const numbers = Array.from({ length: 400 }, (_, i) => 2 * i + odd);
        return numbers.filter((i) => isThere(i)).length;
      });
      expect(halves[0]).toBeLessThan((halves[1] as number) / 2);
    });
  },
);

it.each(['lfu', 'hazard'] as const)(
  'eviction: %s keeps what is used again and again through a scan, where lru does not',
  async (eviction) => {
    const hits = { lru: 0, [eviction]: 0 };
    for (const policy of ['lru', eviction] as const) {
      await withPool({ eviction: policy }, (pool) => {
        const random = new Random(seed());
        for (let i = 0; i < 40_000; i++) {
          const isHot = i % 4 === 0;
          const was = use(pool, isHot ? `hot${random.below(300)}` : `once${i}`);
          if (isHot && was && i > 20_000) hits[policy] = (hits[policy] ?? 0) + 1;
        }
      });
    }
    expect(hits[eviction]).toBeGreaterThan(1.2 * hits.lru);
  },
);

it('refuses a policy that there is not', async () => {
  const opening = openPool({ capacityBytes, eviction: 'mru' as 'lru' });
  await expect(opening).rejects.toSatisfy((error) => hasCode(error, 'invalid_argument'));
});
