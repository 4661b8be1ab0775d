/** Snapshots and restores on a file system of which any call fails: a coded error, nothing left behind, and the next one does it. */

import type * as FilePromises from 'node:fs/promises';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { hasCode } from '../../src/errors.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { restorePool } from '../../src/pool/snapshot.ts';
import { Disk, writeImage } from '../power/support/disk.ts';
import { faults, resetFaults } from '../support/faulty-files.ts';
import { rounds, seed } from '../support/seed.ts';
import { contents } from './support/pools.ts';

vi.mock('node:fs/promises', async (original) => {
  const { faultyFiles } = await import('../support/faulty-files.ts');
  return faultyFiles(await original<typeof FilePromises>());
});

let folder: string;
let pool: Pool;
let expected: unknown[];

beforeEach(async () => {
  resetFaults();
  folder = mkdtempSync(join(tmpdir(), 'cenote-snapshot-faults-'));
  pool = await openPool({ capacityBytes: 4 * 2 ** 20 });
  for (let i = 0; i < 20; i++) pool.put(`c${i}`, 'p', new Uint8Array(i * 3000).fill(i));
  expected = contents(pool);
});

afterEach(async () => {
  resetFaults();
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Makes each call fail in turn until the work succeeds. @returns how many failed */
async function failEach(work: () => Promise<void>): Promise<number> {
  for (let n = 1; ; n++) {
    Object.assign(faults, { calls: 0, failAt: n, code: n % 2 === 0 ? 'ENOSPC' : 'EIO' });
    const before = readdirSync(folder);
    try {
      await work();
      return n - 1;
    } catch (error) {
      expect(hasCode(error, 'io_failed'), String(error)).toBe(true);
      // The name may be there already when the last sync fails: what it names is whole.
      if (readdirSync(folder).length > before.length) return n - 1;
      expect(readdirSync(folder)).toEqual(before);
    } finally {
      faults.failAt = Infinity;
    }
  }
}

async function expectRestored(path: string): Promise<void> {
  const restored = await openPool({ path });
  expect(contents(restored)).toEqual(expected);
  await restored.close();
}

it('leave nothing behind, whichever call fails', async () => {
  const snapshots = await failEach(() => pool.snapshot(join(folder, 'snapshot')));
  await restorePool(join(folder, 'snapshot'), join(folder, 'first'));
  await expectRestored(join(folder, 'first'));
  rmSync(join(folder, 'first'), { recursive: true });
  const restores = await failEach(() =>
    restorePool(join(folder, 'snapshot'), join(folder, 'pool')),
  );
  await expectRestored(join(folder, 'pool'));
  process.stdout.write(`  ${snapshots} and ${restores} failures\n`);
  expect(Math.min(snapshots, restores)).toBeGreaterThan(5);
});

it.each(['journal', 'loose'] as const)(
  'are whole or not there when the power fails: %s names',
  async (names) => {
    await pool.snapshot(join(folder, 'snapshot'));
    const records = [...faults.records];
    const random = new Random(seed());
    for (let round = 0; round < rounds(10, 60); round++) {
      const disk = new Disk(folder, names);
      const point = random.below(3) === 0 ? records.length : random.below(records.length);
      for (const record of records.slice(0, point)) disk.apply(record);
      const image = disk.lose(random);
      const at = join(folder, `disk-${round}`);
      writeImage(image, at);
      const isThere = image.has('snapshot');
      if (point === records.length) expect(isThere).toBe(true);
      if (isThere) {
        await restorePool(join(at, 'snapshot'), join(at, 'pool'));
        await expectRestored(join(at, 'pool'));
      }
      rmSync(at, { recursive: true });
    }
  },
);
