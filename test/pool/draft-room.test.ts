import { describe, expect, it } from 'vitest';

import { crc32 } from '../../src/base/checksum.ts';
import { hasCode } from '../../src/errors.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

const mib = 2 ** 20;

function code(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return hasCode(error, 'invalid_argument') ? 'invalid_argument' : String(error);
  }
  return 'nothing';
}

async function withPool(work: (pool: Pool) => void): Promise<void> {
  const pool = await openPool({ capacityBytes: 8 * mib });
  try {
    work(pool);
  } finally {
    await pool.close();
  }
}

describe('a draft that is written in place', () => {
  it('holds what was written, in turns with copies, and its checksum', () =>
    withPool((pool) => {
      const draft = pool.beginPut('c', 'p', 100_000);
      const expected = new Uint8Array(100_000).map((_, i) => i % 251);
      for (let at = 0, turn = 0; at < expected.length; turn++) {
        const piece = expected.subarray(at, at + 7_777);
        if (turn % 2 === 0) {
          draft.write(piece);
        } else {
          const room = draft.room(piece.length);
          expect(room.length).toBe(piece.length);
          room.set(piece.subarray(0, room.length));
          draft.wrote(room.length);
        }
        at += piece.length;
        expect(draft.sizeBytes).toBe(at);
      }
      draft.commit();
      expect(pool.describe('c', 'p')?.crc32).toBe(crc32(expected) >>> 0);
      const lease = pool.get('c', 'p');
      expect(Buffer.compare(lease?.data as Uint8Array, expected)).toBe(0);
      lease?.release();
      expect(pool.check()).toMatchObject({ ok: true });
    }));

  it('has no room beyond what is reserved, and takes less than it had room for', () =>
    withPool((pool) => {
      const draft = pool.beginPut('c', 'p', 4096);
      expect(draft.room(10).length).toBe(10);
      expect(draft.room(1e9).length).toBeGreaterThanOrEqual(4096);
      draft.room(4096).fill(7, 0, 100);
      draft.wrote(100);
      draft.wrote(0);
      draft.commit();
      expect(pool.describe('c', 'p')?.sizeBytes).toBe(100);
      const empty = pool.beginPut('c', 'q', 0);
      expect(empty.room(100).length).toBe(0);
      empty.abort();
    }));

  it('refuses what cannot be, and nothing of it is published', () =>
    withPool((pool) => {
      const draft = pool.beginPut('c', 'p', 4096);
      const limit = draft.room(1e9).length;
      for (const size of [-1, limit + 1, Number.NaN]) {
        expect(code(() => draft.wrote(size))).toBe('invalid_argument');
      }
      for (const size of [-1, 0.5, Number.NaN]) {
        expect(code(() => draft.room(size))).toBe('invalid_argument');
      }
      expect(draft.sizeBytes).toBe(0);
      draft.abort();
      expect(code(() => draft.room(1))).toBe('invalid_argument');
      expect(code(() => draft.wrote(1))).toBe('invalid_argument');
      expect(pool.stats()).toMatchObject({ parts: 0 });
    }));
});
