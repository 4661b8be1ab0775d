/** Parts that a crash has made suspect: verified before they are given out, whatever is done to them first. */

import type * as Checksum from '../../src/base/checksum.ts';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

const meanwhile = vi.hoisted(() => ({ run: (): void => undefined }));

vi.mock('../../src/base/checksum.ts', async (original) => {
  const { crc32 } = await original<typeof Checksum>();
  return {
    crc32(bytes: Uint8Array, previous?: number): number {
      const sum = crc32(bytes, previous);
      const { run } = meanwhile;
      meanwhile.run = () => undefined;
      run();
      return sum;
    },
  };
});

const marker = 'a text that nothing else in the pool holds';

let folder: string;
let pool: Pool;

/** Leaves the copy of a pool whose owner died, with a byte of its part flipped or not. */
async function crash(flip: boolean): Promise<string> {
  const first = await openPool({ path: join(folder, 'pool'), capacityBytes: 4 * 2 ** 20 });
  first.append('a', 'p', Buffer.from(marker));
  const path = join(folder, 'died');
  cpSync(join(folder, 'pool'), path, { recursive: true });
  await first.close();
  const file = join(path, 'segment-0000');
  const image = readFileSync(file);
  const at = image.indexOf(marker);
  if (flip) image.writeUInt8(image.readUInt8(at) ^ 1, at);
  writeFileSync(file, image);
  return path;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-suspect-'));
});

afterEach(async () => {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

it('stay suspect when an append moves them to a larger block', async () => {
  pool = await openPool({ path: await crash(true) });
  pool.append('a', 'p', new Uint8Array(5000));
  expect(() => pool.get('a', 'p')).toThrow(expect.objectContaining({ code: 'part_corrupt' }));
});

it('stay suspect when an append extends them in place', async () => {
  pool = await openPool({ path: await crash(true) });
  pool.append('a', 'p', new Uint8Array(1));
  expect(() => pool.get('a', 'p')).toThrow(expect.objectContaining({ code: 'part_corrupt' }));
});

it('are not taken for corrupt while the writer appends', async () => {
  pool = await openPool({ path: await crash(false) });
  const reader = await openPool({ handle: pool.handle });
  for (const appends of [1, 2]) {
    meanwhile.run = () => {
      for (let i = 0; i < appends; i++) pool.append('a', 'p', Uint8Array.of(i));
    };
    const lease = reader.get('a', 'p');
    expect(Buffer.from(lease?.data as Uint8Array).toString()).toContain(marker);
    lease?.release();
  }
  meanwhile.run = () => undefined;
  await reader.close();
});
