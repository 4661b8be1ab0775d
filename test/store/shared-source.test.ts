/** Data in shared memory that another thread changes while it is being stored: what is stored has the checksum of what is stored. */

import type * as Checksum from '../../src/base/checksum.ts';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

const beforeChecksum = vi.hoisted(() => ({ run: (): void => undefined }));

vi.mock('../../src/base/checksum.ts', async (original) => {
  const { crc32 } = await original<typeof Checksum>();
  return {
    crc32(bytes: Uint8Array, previous?: number): number {
      beforeChecksum.run();
      return crc32(bytes, previous);
    },
  };
});

let pool: Pool;
let source: Uint8Array;

beforeEach(async () => {
  source = new Uint8Array(new SharedArrayBuffer(1000));
  pool = await openPool({ capacityBytes: 4 * 2 ** 20 });
  pool.put('a', 'p', new Uint8Array(100));
  beforeChecksum.run = () => source.fill((source[0] as number) + 1);
});

afterEach(async () => {
  await pool.close();
});

function expectIntact(): void {
  beforeChecksum.run = () => undefined;
  expect(pool.check().errors).toEqual([]);
}

it('put', () => {
  pool.put('b', 'p', source);
  expectIntact();
});

it('append, in place and into a larger block', () => {
  for (let i = 0; i < 5; i++) pool.append('a', 'p', source);
  expectIntact();
});

it('a draft', () => {
  const draft = pool.beginPut('c', 'p', 10);
  draft.write(source);
  draft.write(source.subarray(5));
  draft.commit();
  expectIntact();
});
