/** A repair that is killed before any of its file calls is finished by the next one: nothing is lost, and no half of it ever opens. */

import type * as FileSystem from 'node:fs';
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { CenoteError } from '../../src/errors.ts';
import { openPool } from '../../src/pool/open.ts';
import { isHalfRepaired, repairPool, resumeRepair } from '../../src/pool/repair.ts';

/** The process dies before its n-th call that changes files; whatever it tries then does nothing. */
const death = vi.hoisted(() => ({ after: Infinity, calls: 0 }));

class Died extends Error {}

vi.mock('node:fs', async (original) => {
  const real = await original<typeof FileSystem>();
  const mortal = <T extends (...given: never[]) => unknown>(call: T): T =>
    ((...given: Parameters<T>) => {
      if (++death.calls > death.after) throw new Died();
      return call(...given);
    }) as T;
  const { renameSync, mkdirSync, rmSync, fsyncSync } = real;
  return {
    ...real,
    renameSync: mortal(renameSync),
    mkdirSync: mortal(mkdirSync as (...given: never[]) => unknown),
    rmSync: mortal(rmSync),
    fsyncSync: mortal(fsyncSync),
  };
});

const mib = 2 ** 20;
const parts = 40;
let scratch: string;
let base: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'cenote-repair-killed-'));
  base = join(scratch, 'base');
  const pool = await openPool({ path: base, capacityBytes: 12 * mib, segmentBytes: 4 * mib });
  for (let i = 0; i < parts; i++) pool.put(`c${i}`, 'p', new Uint8Array(150_000).fill(i));
  await pool.close();
  // The page tables are gone.
  for (const name of ['segment-0000', 'segment-0001']) {
    const bytes = readFileSync(join(base, name));
    bytes.fill(0, 40_960, 45_056);
    writeFileSync(join(base, name), bytes);
  }
  writeFileSync(join(base, 'snapshot.json'), '{}');
});

afterAll(() => {
  death.after = Infinity;
});

/** Runs work that dies before the n-th call. @returns false when it ended before */
function diesAt(n: number, work: () => unknown): boolean {
  death.after = n - 1;
  death.calls = 0;
  try {
    work();
    return false;
  } catch (error) {
    if (error instanceof Died) return true;
    throw error;
  } finally {
    death.after = Infinity;
  }
}

/** What anybody finds who opens the pool as it is: nothing that could be taken for it. */
async function expectClosed(path: string): Promise<void> {
  if (!isHalfRepaired(path)) return;
  if (readdirSync(path).includes('segment-0000')) return;
  const code = await openPool({ path }).then(
    () => 'opened',
    (error) => (error instanceof CenoteError ? error.code : String(error)),
  );
  expect(['pool_corrupt', 'not_a_pool']).toContain(code);
}

async function expectWhole(path: string): Promise<void> {
  const pool = await openPool({ path });
  expect(pool.check().errors).toEqual([]);
  expect(pool.stats().parts).toBe(parts);
  await pool.close();
  const backups = readdirSync(path).filter((name) => name.startsWith('damaged'));
  expect(backups.length).toBeGreaterThan(0);
  // The damaged segments are all in one place.
  const first = readdirSync(join(path, 'damaged-1')).sort();
  expect(first).toEqual(['segment-0000', 'segment-0001', 'snapshot.json']);
  expect(readdirSync(path)).not.toContain('repaired');
}

it('is finished by the next one, however often it is killed', async () => {
  let points = 0;
  for (let n = 1, died = true; died; n++) {
    const path = join(scratch, `killed-${n}`);
    cpSync(base, path, { recursive: true });
    died = diesAt(n, () => repairPool(path));
    if (died) points++;
    await expectClosed(path);
    // The one that finishes it is killed too, at its second call, and its successor is not.
    if (died) diesAt(2, () => resumeRepair(path));
    await expectClosed(path);
    if (resumeRepair(path) === undefined && died && !readdirSync(path).includes('damaged-1'))
      repairPool(path);
    await expectWhole(path);
  }
  process.stdout.write(`  ${points} points\n`);
  expect(points).toBeGreaterThan(15);
});
