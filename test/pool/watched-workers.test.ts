/** Workers that end without closing a shared pool: their leases end with them. */

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { expectSound, filled, freshPath, pool, refuses } from './support/pools.ts';

const script = fileURLToPath(new URL('fixtures/reader.mjs', import.meta.url));
const contexts = 20;

/** A worker that has a lease on every context, as it says. */
async function holder(of: Pool, isWatched: boolean): Promise<Worker> {
  const workerData = { handle: of.handle, contexts, reads: 0, seed: 1, hold: true };
  const worker = new Worker(script, { workerData });
  onTestFinished(async () => void (await worker.terminate()));
  if (isWatched) of.watchWorker(worker);
  const [seen] = (await once(worker, 'message')) as [{ hits: number }];
  expect(seen.hits).toBe(contexts);
  return worker;
}

async function filledPool(): Promise<Pool> {
  const of = await pool();
  putAll(of, 1);
  return of;
}

function putAll(of: Pool, value: number): void {
  for (let i = 0; i < contexts; i++) {
    of.put(`c-${i}`, `value-of-${i}`, filled(20_000, value), { tags: [`t${i}`] });
  }
}

it('recovers what a worker held when it ended', async () => {
  const of = await filledPool();
  const worker = await holder(of, true);
  putAll(of, 2);
  expect(of.stats()).toMatchObject({ retiredParts: contexts, ownersAlive: 2 });
  const { liveBytes } = of.stats().memory;
  await worker.terminate();
  expect(of.stats()).toMatchObject({ retiredParts: 0, ownersAlive: 1 });
  expect(of.stats().memory.liveBytes).toBeLessThanOrEqual(liveBytes - contexts * 20_000);
  expectSound(of);
  // The slot can be had again.
  const another = await holder(of, true);
  expect(of.stats().ownersAlive).toBe(2);
  await another.terminate();
  expect(of.stats().ownersAlive).toBe(1);
});

it('leaves those alone who live', async () => {
  const of = await filledPool();
  const dead = await holder(of, true);
  const alive = await holder(of, true);
  putAll(of, 2);
  await dead.terminate();
  expect(of.stats()).toMatchObject({ retiredParts: contexts, ownersAlive: 2 });
  await alive.terminate();
  expect(of.stats()).toMatchObject({ retiredParts: 0, ownersAlive: 1 });
  expectSound(of);
});

it('waits for a snapshot to end', async () => {
  const of = await filledPool();
  const worker = await holder(of, true);
  putAll(of, 2);
  const path = freshPath();
  const copying = of.snapshot(path);
  const ended = worker.terminate();
  expect(of.stats().retiredParts).toBe(contexts);
  await Promise.all([copying, ended]);
  expect(of.stats()).toMatchObject({ retiredParts: 0, ownersAlive: 1 });
  expect(readdirSync(path).length).toBeGreaterThan(0);
  expectSound(of);
});

it('does nothing after closing, and takes no worker of a closed pool', async () => {
  const of = await filledPool();
  const worker = await holder(of, true);
  await of.close();
  await worker.terminate();
  refuses(() => of.watchWorker(worker), 'pool_closed');
});

it('knows of a worker that nobody watches only when it has to', async () => {
  const of = await filledPool();
  const worker = await holder(of, false);
  putAll(of, 2);
  await worker.terminate();
  expect(of.stats()).toMatchObject({ retiredParts: contexts, ownersAlive: 2 });
});
