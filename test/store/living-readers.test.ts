/** The writer's process dies, a reader in another process lives on: recovery leaves what it leased alone. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { Lease, Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { checkStore } from '../../src/store/check.ts';
import { closeStore, openStore } from '../../src/store/open.ts';
import type { StoreOptions } from '../../src/store/options.ts';

const library = pathToFileURL(join(process.cwd(), 'dist/index.js')).href;
const script = fileURLToPath(new URL('support/doomed-writer.mjs', import.meta.url));
const ids = ['kept', 'replaced', 'deleted'];

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-living-readers-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function expectIntact(leases: readonly Lease[]): void {
  leases.forEach((lease, i) => {
    const value = (ids[i] as string).length;
    expect((lease.data as Uint8Array).every((byte) => byte === value)).toBe(true);
  });
}

/** Replaces everything until memory has been used several times over. */
function churn(pool: Pool): void {
  for (let i = 0; i < 2000; i++) pool.put(`c${i}`, 'p', new Uint8Array(30_000).fill(255));
}

test('a reader’s leases outlive the writer and its recovery', async () => {
  const writer = fork(script, [library, folder]);
  await once(writer, 'message');
  const reader = await openPool({ handle: { region: { type: 'mapped', path: folder } } });
  const leases = ids.map((id) => reader.get(id, 'p') as Lease);
  writer.send('retire');
  await once(writer, 'message');
  writer.kill('SIGKILL');
  await once(writer, 'exit');

  const pool = await openPool({ path: folder });
  expect(pool.check().errors).toEqual([]);
  expect(pool.stats().retiredParts).toBe(2);
  churn(pool);
  expectIntact(leases);
  expect(pool.check().errors).toEqual([]);

  for (const lease of leases) lease.release();
  pool.sweepExpired();
  expect(pool.stats().retiredParts).toBe(0);
  expect(pool.check().errors).toEqual([]);
  await reader.close();
  await pool.close();
});

test('who takes the place of the dead writer while the last other one closes clears what the writer had', async () => {
  const writer = fork(script, [library, folder]);
  await once(writer, 'message');
  const other = await openPool({ path: folder });
  for (const id of ids) other.delete(id);
  writer.kill('SIGKILL');
  await once(writer, 'exit');

  const region = openMappedRegion(folder, 'own');
  await other.close();
  const choices = { zeroKinds: 0 };
  const options = { clock: systemClock, seed: 1, eviction: 'lru', checksums: true, hooks: {} };
  const { store, isFirst } = openStore(region, choices, options as StoreOptions);
  expect(isFirst).toBe(true);
  expect(checkStore(store).errors).toEqual([]);
  closeStore(store);
  region.close();
});
