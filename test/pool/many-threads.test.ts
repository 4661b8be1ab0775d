/** Threads write to one pool at full speed and are terminated wherever they are: the others go on, and what is left is whole. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Pool } from '../../src/pool/api.ts';
import { rounds, seed } from '../support/seed.ts';
import { expectSound, freshPath, mib, pool, read } from './support/pools.ts';

const script = fileURLToPath(new URL('fixtures/thread-writer.mjs', import.meta.url));
const ends = rounds(15, 60);
const writers = 2;

/** Every part of a context holds one number over and over; a log holds rising ones. */
function expectWhole(of: Pool, id: string): void {
  for (const { part } of of.context(id, { limit: 10_000 })?.parts ?? []) {
    const bytes = Uint8Array.from(read(of, id, part) ?? []);
    const words = new Uint32Array(bytes.buffer);
    const isRight =
      part === 'log'
        ? words.every((word, i) => i === 0 || word > (words[i - 1] as number))
        : words.every((word) => word === words[0]);
    assert(isRight, `part ${part} of ${id}`);
  }
}

async function start(of: Pool, writer: number, number: number): Promise<Worker> {
  const workerData = { handle: of.handle, writer, seed: seed() + number };
  const worker = new Worker(script, { workerData });
  of.watchWorker(worker);
  onTestFinished(async () => void (await worker.terminate()));
  await once(worker, 'message');
  return worker;
}

it.each(['shared', 'mapped'])('threads that write to a %s pool may end anywhere', async (type) => {
  const random = new Random(seed());
  const place = type === 'mapped' ? { path: freshPath() } : {};
  const of = await pool({ ...place, capacityBytes: 32 * mib, segmentBytes: 8 * mib });
  const running = await Promise.all(
    Array.from({ length: writers }, (_, writer) => start(of, writer, writer)),
  );
  for (let end = 0; end < ends; end++) {
    const writer = random.below(writers);
    for (let turn = random.below(20); turn > 0; turn--) await setImmediate();
    await (running[writer] as Worker).terminate();
    of.put('main', 'p', Uint32Array.of(end));
    // A log begins anew with each life.
    of.delete(`own-${writer}`, 'log');
    running[writer] = await start(of, writer, writers + end);
  }
  for (const worker of running) await worker.terminate();
  of.sweepExpired();
  expectSound(of);
  for (const id of ['common', ...running.map((_, writer) => `own-${writer}`)]) expectWhole(of, id);
  expect(of.stats()).toMatchObject({ ownersAlive: 1, retiredParts: 0 });
});
