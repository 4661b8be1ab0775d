/** Requests of large parts may get longer runs than they asked for, while memory is plenty: a full pool loses little by it, and not for long. */

import { expect, test } from 'vitest';
import { openPool } from '../../src/index.ts';

const kib = 2 ** 10;
const mib = 2 ** 20;

test('a large part finds room among parts in longer runs', async () => {
  const pool = await openPool({ capacityBytes: 64 * mib, seed: 1 });
  for (let n = 0; pool.stats().operations.evictions === 0; n++) {
    pool.put('long', 'kv', new Uint8Array(320 * kib));
    pool.delete('long');
    pool.put(`short-${n}`, 'kv', new Uint8Array(256 * kib)); // in the run of the other
  }
  const { memory, partBytes } = pool.stats();
  expect(memory.liveBytes).toBeGreaterThan(1.04 * partBytes);
  expect(memory.liveBytes).toBeLessThan(1.1 * partBytes);
  // The first that were put are in longer runs, and only they may go.
  for (let n = 60; pool.has(`short-${n}`); n++) pool.pin(`short-${n}`);
  expect(pool.put('large', 'kv', new Uint8Array(16 * mib))).toBeGreaterThan(0);
  expect(pool.check()).toMatchObject({ ok: true });
  await pool.close();
});

test('a pool that is full of longer parts holds as many shorter ones, once they have taken their places', async () => {
  const pool = await openPool({ capacityBytes: 64 * mib, seed: 1 });
  for (let n = 0; n < 400; n++) pool.put(`long-${n}`, 'kv', new Uint8Array(320 * kib));
  for (let n = 0; n < 1200; n++) pool.put(`short-${n}`, 'kv', new Uint8Array(256 * kib));
  expect(pool.stats().parts).toBeGreaterThanOrEqual(235);
  await pool.close();
});
