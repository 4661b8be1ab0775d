/** What an owner evicts is memory for it, whoever had put it there; parts whose memory would be another's stay where they are. */

import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { expectSound, mib, pool } from './support/pools.ts';

const capacityBytes = 4 * mib;
const part = 'p';

/** Two owners of one pool. */
async function owners(): Promise<[Pool, Pool]> {
  const first = await pool({ capacityBytes });
  return [first, await pool({ handle: structuredClone(first.handle) })];
}

function partsOf(of: Pool): number {
  return of.stats().parts;
}

/** How many of the parts of a name there are. */
function left(of: Pool, name: string, count: number): number {
  return Array.from({ length: count }, (_, i) => of.has(`${name}${i}`)).filter(Boolean).length;
}

/** Puts until as much is used. @returns how many parts */
function fill(into: Pool, share: number, sizeBytes: number): number {
  let count = 0;
  while (into.stats().memory.usedBytes < share * capacityBytes) {
    into.put(`a${count}`, part, new Uint8Array(sizeBytes));
    count += 1;
  }
  return count;
}

describe.each([200, 3000])(
  'a pool that one owner has filled with parts of %i bytes',
  (sizeBytes) => {
    it.each([0.6, 0.9])('to %f takes those of another, one for one', async (share) => {
      const [first, second] = await owners();
      const before = fill(first, share, sizeBytes);
      let puts = 0;
      while (second.stats().operations.evictions === 0) {
        second.put(`b${puts}`, part, new Uint8Array(sizeBytes));
        puts += 1;
      }
      const full = partsOf(second);
      for (let i = 0; i < 300; i++) second.put(`c${i}`, part, new Uint8Array(sizeBytes));
      expect(partsOf(second)).toBeGreaterThan(0.97 * full);
      for (let i = 0; i < 300; i++) expect(second.has(`c${i}`)).toBe(true);
      expect(full).toBeGreaterThan(before);
      expectSound(second);
    });

    it.each([
      ['sweeps', (first: Pool): unknown => first.sweepExpired()],
      [
        'has read some',
        (first: Pool): unknown =>
          Array.from({ length: 64 }, (_, i) => first.get(`a${i}`, part)?.release()),
      ],
    ])('and turned over keeps them until the owner %s: then the oldest go', async (_, share) => {
      const [first, second] = await owners();
      const count = fill(first, 0.9, sizeBytes);
      // Each is freed by who will put another in its place: all slabs are that owner's again.
      for (let i = 0; i < count; i++) {
        first.delete(`a${i}`, part);
        first.put(`a${i}`, part, new Uint8Array(sizeBytes));
      }
      const own = 40;
      const put = (name: string): void => {
        for (let i = 0; i < own; i++) second.put(`${name}${i}`, part, new Uint8Array(sizeBytes));
      };
      // More than the rest of the pool: its own go, as what those of the other free would not be its.
      for (let i = 0; i < count / 4; i++) second.put(`b${i}`, part, new Uint8Array(sizeBytes));
      const kept = left(first, 'a', count);
      expect(kept).toBeGreaterThan(0.98 * count);
      share(first);
      put('c');
      put('d');
      expect(left(second, 'c', own)).toBe(own);
      expect(left(second, 'd', own)).toBe(own);
      expect(left(first, 'a', count)).toBeLessThan(kept);
      expectSound(first);
      expectSound(second);
    });

    it.each([300, 20_000, mib])('has room for one of %i bytes of another', async (otherBytes) => {
      const [first, second] = await owners();
      fill(first, 0.9, sizeBytes);
      const full = partsOf(first);
      second.put('b', part, new Uint8Array(otherBytes));
      const gone = full + 1 - partsOf(first);
      expect(gone * sizeBytes).toBeLessThan(4 * Math.max(otherBytes, 2 ** 16));
      expect(second.has('b')).toBe(true);
      expectSound(first);
    });
  },
);
