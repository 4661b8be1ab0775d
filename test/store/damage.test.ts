/**
 * Segment files with bits flipped, words overwritten and lines zeroed, of a pool that was closed and of one whose writer died: whatever
 * is asked of it, the answer is data or a coded error, in bounded time.
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CenoteError } from '../../src/errors.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { seed } from '../support/seed.ts';

const rounds = process.env['CI'] === 'true' ? 200 : 30;
const parts = 200;
const capacityBytes = 4 * 2 ** 20;
const sizes = [0, 10, 300, 5000, 15_000];
/** Where damage goes: control words, owner slots, the page table and bitmaps, the first data, anywhere. */
const targets = [
  [12_288, 4096],
  [16_384, 8192],
  [40_960, 60_000],
  [100_000, 200_000],
  [12_288, capacityBytes - 12_288],
] as const;
const nasty = [0, -1, 1, 300, 70_000, 2 ** 31 - 1, -(2 ** 31)];

let folder: string;

const idOf = (i: number): string => `context-${i % 30}${i % 3 === 0 ? '-long'.repeat(20) : ''}`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-damage-'));
  const path = join(folder, 'base');
  const pool = await openPool({ path, capacityBytes });
  for (let i = 0; i < parts; i++) {
    const data = new Uint8Array(sizes[i % sizes.length] as number).fill(i);
    pool.put(idOf(i), `part${i}`, data, { tags: i % 4 === 0 ? [] : [`t${i % 8}`, 'all'] });
  }
  for (let i = 0; i < parts; i += 3) pool.append(idOf(i), `part${i}`, Uint8Array.of(1, 2, 3));
  cpSync(path, join(folder, 'died'), { recursive: true });
  await pool.close();
  cpSync(path, join(folder, 'closed'), { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function damage(image: Buffer, random: Random): void {
  const [from, length] = targets[random.below(targets.length)] as (typeof targets)[number];
  for (let i = 1 << random.below(9); i > 0; i--) {
    const at = from + (random.below(length - 256) & ~3);
    const how = random.below(4);
    if (how === 0) image.writeUInt8(image.readUInt8(at) ^ (1 << random.below(8)), at);
    else if (how === 1) image.writeInt32LE(random.next() - random.next(), at);
    else if (how === 2) image.writeInt32LE(nasty[random.below(nasty.length)] as number, at);
    else image.fill(0, at, at + 64 * random.below(4));
  }
}

/** Runs what may fail with a code, and only with one. */
function attempt(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
  }
}

function use(pool: Pool): void {
  attempt(() => pool.check());
  for (let i = 0; i < parts; i++) {
    attempt(() => pool.get(idOf(i), `part${i}`)?.release());
    attempt(() => pool.describe(idOf(i), `part${i}`));
  }
  attempt(() => pool.list());
  attempt(() => pool.stats());
  attempt(() => pool.memoryMap(16));
  if (pool.readOnly) return;
  attempt(() => pool.compact());
  attempt(() => pool.trim());
  for (let i = 0; i < 2 * parts; i++) {
    attempt(() => pool.put(`new${i}`, 'x', new Uint8Array(20_000), { tags: ['all'] }));
  }
  for (let i = 0; i < parts; i++)
    attempt(() => pool.append(idOf(i), `part${i}`, new Uint8Array(900)));
  attempt(() => pool.invalidate({ tag: 't4' }));
  for (let i = 0; i < parts; i++) attempt(() => pool.delete(idOf(i)));
  attempt(() => pool.sweepExpired());
}

async function survive(image: string, random: Random): Promise<void> {
  const path = join(folder, 'damaged');
  cpSync(join(folder, image), path, { recursive: true });
  const file = join(path, 'segment-0000');
  const bytes = readFileSync(file);
  damage(bytes, random);
  writeFileSync(file, bytes);
  try {
    const pool = await openPool({ path, readOnly: random.below(4) === 0 });
    use(pool);
    await pool.close();
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

describe('a damaged pool', () => {
  for (const image of ['died', 'closed']) {
    it(`answers with data or a coded error: ${image}`, async () => {
      const random = new Random(seed());
      let survived = 0;
      for (; survived < rounds; survived++) await survive(image, random);
      expect(survived).toBe(rounds);
    });
  }
});
