/** A pool that is full of small parts, none of them held, has room for a large one. */

import { afterEach, describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

const mib = 2 ** 20;
const capacityBytes = 32 * mib;

let pool: Pool;

afterEach(() => pool.close());

describe('room for a large part', () => {
  for (const smallBytes of [200, 1000, 30_000]) {
    it(`among parts of ${smallBytes} bytes`, async () => {
      pool = await openPool({ capacityBytes, seed: 1 });
      for (let i = 0; i * smallBytes < 1.5 * capacityBytes; i++) {
        pool.put(`c${i}`, 'p', new Uint8Array(smallBytes));
      }
      for (const large of [1, 2, 4]) {
        pool.put('large', `${large}`, new Uint8Array(large * mib));
        pool.delete('large');
      }
      expect(pool.stats().parts).toBeGreaterThan(0);
      expect(pool.check().errors).toEqual([]);
    });
  }
});
