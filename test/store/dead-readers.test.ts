/** A thread that joined and was killed holds nothing for ever: its leases end with it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

const capacityBytes = 8 * 2 ** 20;
const ids = Array.from({ length: 220 }, (_, i) => `c${i}`);
const library = pathToFileURL(join(process.cwd(), 'dist/index.js')).href;

let folder: string;
let pool: Pool;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cenote-dead-readers-'));
  pool = await openPool({ path: folder, capacityBytes });
  for (const id of ids) pool.put(id, 'p', new Uint8Array(30_000));
});

afterEach(async () => {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

async function joined(): Promise<Worker> {
  const script = new URL('support/reader.mjs', import.meta.url);
  const worker = new Worker(script, { workerData: { library, handle: pool.handle, ids } });
  const leased = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  expect(leased).toBe(ids.length);
  return worker;
}

describe('the leases of a reader that was killed', () => {
  it('are in nobody’s way when memory is needed', async () => {
    await (await joined()).terminate();
    pool.put('large', 'p', new Uint8Array(2 ** 20));
    expect(pool.check().errors).toEqual([]);
  });

  it('end with the next sweep', async () => {
    await (await joined()).terminate();
    for (const id of ids) pool.delete(id);
    pool.sweepExpired();
    expect(pool.stats()).toMatchObject({ retiredParts: 0, ownersAlive: 1 });
    expect(pool.check().errors).toEqual([]);
  });

  it('end when the last owner closes, and their memory is free for the next', async () => {
    const reader = await joined();
    for (const id of ids) pool.delete(id);
    await reader.terminate();
    await pool.close();
    pool = await openPool({ path: folder });
    expect(pool.stats().retiredParts).toBe(0);
    expect(pool.check().errors).toEqual([]);
  });

  it('end when the pool is opened anew', async () => {
    const reader = await joined();
    for (const id of ids) pool.delete(id);
    await pool.close();
    await reader.terminate();
    pool = await openPool({ path: folder });
    expect(pool.stats().retiredParts).toBe(0);
    expect(pool.check().errors).toEqual([]);
  });
});

describe('the leases of a reader that lives', () => {
  it('hold', async () => {
    const reader = await joined();
    for (const id of ids) pool.delete(id);
    pool.sweepExpired();
    expect(pool.stats().retiredParts).toBe(ids.length);
    await reader.terminate();
  });
});
