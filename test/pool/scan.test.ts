import { describe, expect, it } from 'vitest';

import { Random } from '../../src/base/random.ts';
import { hasCode } from '../../src/errors.ts';
import type { Pool } from '../../src/pool/api.ts';
import { rounds, seed } from '../support/seed.ts';
import { mib, pool as openTestPool, testClock } from './support/pools.ts';

const bytes = new Uint8Array(8);

/** All ids, page by page; `between` runs after each. */
function scanAll(pool: Pool, limit?: number, between: () => void = () => {}): string[] {
  const found: string[] = [];
  let cursor = 0;
  do {
    const { ids, next } = pool.scan(cursor, limit);
    found.push(...ids);
    expect(next === 0 || next > cursor).toBe(true);
    cursor = next;
    between();
  } while (cursor !== 0);
  return found;
}

describe('scan', () => {
  it('tells nothing of nothing, and one of one', async () => {
    const pool = await openTestPool();
    expect(scanAll(pool)).toEqual([]);
    pool.put('only', 'p', bytes);
    expect(scanAll(pool)).toEqual(['only']);
    pool.delete('only');
    expect(scanAll(pool)).toEqual([]);
  });

  it.each([1, 10, 100, 10_000])('tells every context once, %i at a time', async (limit) => {
    const pool = await openTestPool({ capacityBytes: 32 * mib });
    const ids = Array.from({ length: 3000 }, (_, i) => `chat-${i}`);
    for (const id of ids) {
      pool.put(id, 'a', bytes);
      pool.put(id, 'b', bytes);
    }
    expect(pool.contextCount).toBe(3000);
    expect(scanAll(pool, limit).sort()).toEqual(ids.sort());
  });

  it('tells pages of about the size asked for, and looks at little after much was deleted', async () => {
    const pool = await openTestPool({ capacityBytes: 64 * mib });
    for (let i = 0; i < 20_000; i++) pool.put(`k${i}`, 'p', bytes);
    const { ids } = pool.scan(0, 500);
    expect(ids.length).toBeGreaterThan(300);
    expect(ids.length).toBeLessThan(800);
    for (let i = 10; i < 20_000; i++) pool.delete(`k${i}`);
    expect(scanAll(pool, 10).sort()).toEqual(Array.from({ length: 10 }, (_, i) => `k${i}`));
  });

  it('tells what is there all the while, whatever comes, goes and grows meanwhile', async () => {
    const random = new Random(seed());
    for (let round = 0; round < rounds(10, 60); round++) {
      const pool = await openTestPool({ capacityBytes: 64 * mib });
      const lasting = new Set<string>();
      for (let i = 0; i < 50 + random.below(2000); i++) lasting.add(`stays-${i}`);
      for (const id of lasting) pool.put(id, 'p', bytes);
      let number = 0;
      const live: string[] = [];
      const found = scanAll(pool, 1 + random.below(60), () => {
        for (let i = random.below(120); i > 0; i--) {
          // Not so many that anything is evicted, and fewer in the end than a page tells.
          const grows = number < 20_000 && random.below(3) > 0;
          if (grows || live.length === 0) {
            const id = `comes-${number++}`;
            pool.put(id, 'p', bytes);
            live.push(id);
          } else {
            pool.delete(live.splice(random.below(live.length), 1)[0] as string);
          }
        }
      });
      const counts = new Map<string, number>();
      for (const id of found) counts.set(id, (counts.get(id) ?? 0) + 1);
      for (const id of lasting) expect(counts.get(id), id).toBe(1);
      expect(Math.max(...counts.values())).toBe(1);
      await pool.close();
    }
  });

  it('leaves out what has expired', async () => {
    const clock = testClock();
    const pool = await openTestPool({ clock });
    pool.put('gone', 'p', bytes, { ttlMs: 10 });
    pool.put('here', 'p', bytes);
    clock.advance(11);
    expect(scanAll(pool)).toEqual(['here']);
  });

  it('refuses cursors and limits that cannot be', async () => {
    const pool = await openTestPool();
    for (const [cursor, limit] of [
      [-1, 1],
      [0.5, 1],
      [2 ** 32, 1],
      [Number.NaN, 1],
      [0, 0],
      [0, 10_001],
    ] as const) {
      try {
        pool.scan(cursor, limit);
        expect.unreachable();
      } catch (error) {
        expect(hasCode(error, 'invalid_argument')).toBe(true);
      }
    }
  });
});
