/**
 * Threads that joined read while the writer replaces, appends, deletes, evicts and grows its index: they see values as they were written,
 * and what they lease stays.
 */

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { Random } from '../../src/base/random.ts';
import type { OpenOptions, Pool, PutOptions } from '../../src/pool/api.ts';
import { rounds, seed } from '../support/seed.ts';
import { expectSound, filled, freshPath, mib, pool } from './support/pools.ts';

const script = fileURLToPath(new URL('fixtures/reader.mjs', import.meta.url));
const reads = rounds(25_000, 60_000);
const readers = 2;
const steadyParts = 5;
/** Operations of the writer between two looks at its messages. */
const batch = 200;

interface Seen {
  readonly hits: number;
  readonly misses: number;
  readonly looks: number;
  readonly fault: string;
}

function read(of: Pool, contexts: number, number: number, hold = false): Worker {
  const { handle } = of;
  const worker = new Worker(script, {
    workerData: { handle, contexts, reads, seed: seed() + number, hold },
  });
  onTestFinished(async () => void (await worker.terminate()));
  return worker;
}

/** What a reader says in the end. */
async function answer(worker: Worker): Promise<Seen> {
  const [seen] = (await once(worker, 'message')) as [Seen];
  return seen;
}

/** One that says of itself what it is: see fixtures/reader.mjs. */
function value(context: number, number: number, words: number): Uint32Array {
  const array = new Uint32Array(4 + words).fill(number, 4);
  array.set([context, number, array.length, 0]);
  const { buffer, byteOffset, byteLength } = array.subarray(4);
  array[3] = crc32(new Uint8Array(buffer, byteOffset, byteLength));
  return array;
}

class Writer {
  readonly #pool: Pool;
  readonly #contexts: number;
  readonly #wordsMax: number;
  readonly #random = new Random(seed());
  #number = 0;
  #steady = 0;

  constructor(of: Pool, contexts: number, wordsMax: number) {
    this.#pool = of;
    this.#contexts = contexts;
    this.#wordsMax = wordsMax;
  }

  put(context: number, part: string = 'value', options: PutOptions = {}): void {
    const number = this.#number++;
    const words = this.#random.below(this.#wordsMax);
    this.#pool.put(`c-${context}`, `${part}-of-${context}`, value(context, number, words), options);
  }

  /** The context whose parts are replaced, and never go. */
  putSteady(): void {
    this.#steady = (this.#steady + 1) % steadyParts;
    this.put(this.#contexts, String(this.#steady), { pinned: true });
  }

  append(context: number): void {
    const id = `c-${context}`;
    const part = `log-of-${context}`;
    const from = (this.#pool.describe(id, part)?.sizeBytes ?? 0) / 4;
    // Long logs begin anew.
    if (from > 5000) this.#pool.delete(id, part);
    const begin = from > 5000 ? 0 : from;
    const length = 1 + this.#random.below(60);
    this.#pool.append(
      id,
      part,
      Uint32Array.from({ length }, (_, i) => begin + i),
    );
  }

  step(): void {
    const context = this.#random.below(this.#contexts);
    const draw = this.#random.below(100);
    if (draw < 20) this.putSteady();
    else if (draw < 60) this.put(context);
    else if (draw < 90) this.append(context);
    else if (draw < 98) this.#pool.delete(`c-${context}`, `value-of-${context}`);
    else this.#pool.delete(`c-${context}`);
  }
}

const shapes: readonly [name: string, options: OpenOptions, contexts: number, wordsMax: number][] =
  [
    ['some hot contexts', { capacityBytes: 64 * mib }, 12, 3000],
    ['an index that grows', { capacityBytes: 64 * mib }, 6000, 100],
    ['evictions', { capacityBytes: 4 * mib }, 300, 6000],
    ['segments that come and go', { capacityBytes: 16 * mib, segmentBytes: 4 * mib }, 300, 20_000],
  ];

describe.each(['shared', 'mapped'])('readers of a %s pool', (type) => {
  it.each(shapes)('with %s', async (name, options, contexts, wordsMax) => {
    const path = type === 'mapped' ? { path: freshPath() } : {};
    const of = await pool({ ...options, ...path, seed: seed() });
    const writer = new Writer(of, contexts, wordsMax);
    for (let context = 0; context < contexts / 4; context++) writer.put(context);
    for (let part = 0; part < steadyParts; part++) writer.putSteady();
    let reading = readers;
    const answers = Array.from({ length: readers }, async (_, n) => {
      const seen = await answer(read(of, contexts, n));
      reading--;
      return seen;
    });
    const done = Promise.all(answers);
    done.catch(() => (reading = 0));
    let written = 0;
    const isComingAndGoing = name.startsWith('segments');
    while (reading > 0) {
      for (let i = 0; i < batch; i++) writer.step();
      written += batch;
      if (written % (20 * batch) === 0) of.trim();
      if (isComingAndGoing && written % (50 * batch) === 0) {
        of.setCapacity((written % (100 * batch) === 0 ? 16 : 8) * mib);
      }
      await setImmediate();
    }
    for (const seen of await done) {
      expect(seen.fault).toBe('');
      expect(seen.hits).toBeGreaterThan(reads / 20);
    }
    of.sweepExpired();
    expect(of.stats().retiredParts).toBe(0);
    expectSound(of);
    const hits = (await done).map((seen) => seen.hits).join(' and ');
    const { evictions } = of.stats().operations;
    process.stdout.write(
      `  ${type}, ${name}: ${hits} values read, ${written} operations, ${evictions} evictions\n`,
    );
  });

  it('that end while they hold leases do no harm', async () => {
    const path = type === 'mapped' ? { path: freshPath() } : {};
    const of = await pool({ capacityBytes: 8 * mib, ...path });
    const contexts = 100;
    const writer = new Writer(of, contexts, 100);
    for (let part = 0; part < steadyParts; part++) writer.putSteady();
    for (let round = 0; round < 5; round++) {
      for (let context = 0; context < contexts; context++) writer.put(context);
      const worker = read(of, contexts, 0, true);
      expect(await answer(worker)).toMatchObject({ hits: contexts, fault: '' });
      for (let context = 0; context < contexts; context++) writer.put(context);
      await worker.terminate();
      for (let i = 0; i < 100; i++) of.put(`c-${contexts + 1 + i}`, 'p', filled(50_000, i));
      for (let i = 0; i < 1000; i++) writer.step();
      expectSound(of);
    }
    const seen = await answer(read(of, contexts, 1));
    expect(seen.fault).toBe('');
    await of.close();
    if (path.path === undefined) return;
    // Nobody is left who could hold anything.
    const again = await pool({ path: path.path });
    again.sweepExpired();
    expect(again.stats().retiredParts).toBe(0);
    expectSound(again);
  });
});
