/**
 * Pools much smaller than what is written to them, on real request traces: bounded, and as good as exact LRU.
 *
 * Every prompt block is a part. Each reference is a get; a miss is followed by a put, as a server would after computing the
 * block. Where a trace file is absent, a generated one in its shape stands in.
 */

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { agenticShape, conversationShape, generateTrace } from '../../src/kv/traces/generate.ts';
import { dataFolder, loadTrace, type TraceName } from '../../bench/traces/load.ts';
import { lruHits } from '../../bench/traces/lru.ts';
import type { Trace } from '../../src/kv/traces/trace.ts';
import type { OpenOptions, Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { seed } from '../support/seed.ts';

const part = 'kv';
const mib = 2 ** 20;
/** Hit ratios in percent may differ by this much. */
const pointsMax = 0.5;
const writtenMin = 10;
/** References between two looks at the statistics: a prime, so that it is in step with nothing. */
const sampleEvery = 509;

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-traces-'));
  folders.push(folder);
  return folder;
}

function idsOf(trace: Trace): string[] {
  return Array.from({ length: trace.distinct }, (_, block) => String(block));
}

interface Outcome {
  readonly hits: number;
  readonly puts: number;
  /** Mean number of parts since the first eviction: what an exact LRU is given as its capacity. */
  readonly residentMean: number;
  readonly reservedBytesMax: number;
}

/** A block's payload begins with its number, so that a hit on the wrong bytes is seen. */
function replay(pool: Pool, trace: Trace, payload: Uint8Array): Outcome {
  const header = new DataView(payload.buffer);
  const ids = idsOf(trace);
  let hits = 0;
  let puts = 0;
  let wrong = 0;
  let residents = 0;
  let samples = 0;
  let reservedBytesMax = 0;
  for (const [index, block] of trace.references.entries()) {
    const id = ids[block] as string;
    const lease = pool.get(id, part);
    if (lease === undefined) {
      header.setInt32(0, block, true);
      pool.put(id, part, payload);
      puts += 1;
    } else {
      const bytes = lease.data as Uint8Array;
      if (numberIn(bytes) !== block || bytes.length !== payload.length) wrong += 1;
      lease.release();
      hits += 1;
    }
    if (index % sampleEvery !== 0) continue;
    const stats = pool.stats();
    reservedBytesMax = Math.max(reservedBytesMax, stats.memory.reservedBytes);
    if (stats.operations.evictions === 0) continue;
    residents += stats.parts;
    samples += 1;
  }
  expect(wrong).toBe(0);
  return { hits, puts, residentMean: residents / samples, reservedBytesMax };
}

function numberIn(bytes: Uint8Array): number {
  const at = (index: number): number => bytes[index] as number;
  return at(0) | (at(1) << 8) | (at(2) << 16) | (at(3) << 24);
}

interface Case {
  readonly region: 'shared' | 'mapped';
  readonly capacityBytes: number;
  readonly payloadBytes: number;
}

async function runCase(trace: Trace, its: Case): Promise<void> {
  const folder = its.region === 'mapped' ? join(freshFolder(), 'pool') : undefined;
  const options: OpenOptions = { capacityBytes: its.capacityBytes, seed: seed() };
  const pool = await openPool(folder === undefined ? options : { ...options, path: folder });
  try {
    const outcome = replay(pool, trace, new Uint8Array(its.payloadBytes));
    const references = trace.references.length;
    const capacity = Math.round(outcome.residentMean);
    const exact = (lruHits(trace, capacity) / references) * 100;
    const ours = (outcome.hits / references) * 100;
    const written = (outcome.puts * its.payloadBytes) / its.capacityBytes;
    process.stdout.write(
      `${trace.name}, ${its.region} pool of ${its.capacityBytes / mib} MiB: hit ratio ${ours.toFixed(2)} %, exact LRU of ` +
        `${capacity} blocks ${exact.toFixed(2)} %, written ${written.toFixed(1)} times its capacity\n`,
    );
    expect(outcome.hits + outcome.puts).toBe(references);
    expect(written).toBeGreaterThanOrEqual(writtenMin);
    expect(outcome.reservedBytesMax).toBeLessThanOrEqual(its.capacityBytes);
    expect(Math.abs(ours - exact)).toBeLessThanOrEqual(pointsMax);
    expect(pool.check()).toMatchObject({ ok: true, errors: [], parts: pool.stats().parts });
    if (folder !== undefined)
      expect(segmentFileBytes(folder)).toBeLessThanOrEqual(its.capacityBytes);
  } finally {
    await pool.close();
  }
}

/** Bytes of all files of a mapped pool that hold segments. */
function segmentFileBytes(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.includes('segment'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

const cases: readonly (Case & { readonly trace: TraceName })[] = [
  { trace: 'conversation', region: 'shared', capacityBytes: 8 * mib, payloadBytes: 1024 },
  { trace: 'conversation', region: 'mapped', capacityBytes: 4 * mib, payloadBytes: 256 },
  { trace: 'agentic', region: 'mapped', capacityBytes: 6 * mib, payloadBytes: 768 },
];

describe('a pool written to ten times its capacity and more', () => {
  for (const one of cases) {
    it(`${one.trace}, ${one.region}, ${one.capacityBytes / mib} MiB`, async (context) => {
      const trace = await loadTrace(one.trace);
      if (trace === undefined) context.skip(`${dataFolder()} has no such trace (set CENOTE_DATA)`);
      else await runCase(trace, one);
    });
  }

  it('generated conversations, shared, 4 MiB', async () => {
    const trace = generateTrace({ ...conversationShape, sessions: 3000 }, seed());
    await runCase(trace, { region: 'shared', capacityBytes: 4 * mib, payloadBytes: 1024 });
  });

  it('generated agents’ sessions, shared, 4 MiB', async () => {
    const shape = { ...agenticShape, sessions: 150, spreadSeconds: 50_000 };
    const trace = generateTrace(shape, seed());
    await runCase(trace, { region: 'shared', capacityBytes: 4 * mib, payloadBytes: 1536 });
  });
});

describe('a pool in which everything is pinned', () => {
  it('answers pool_full and changes nothing', async () => {
    await using pool = await openPool({ capacityBytes: 4 * mib, seed: seed() });
    const payload = new Uint8Array(1000);
    const header = new DataView(payload.buffer);
    let count = 0;
    const putPinned = (id: number, sizeBytes = payload.length): void => {
      header.setInt32(0, id, true);
      pool.put(String(id), part, payload.subarray(0, sizeBytes), { pinned: true });
    };
    expect(() => {
      for (; count < 10_000; count += 1) putPinned(count);
    }).toThrow(expect.objectContaining({ code: 'pool_full' }));
    expect(count).toBeGreaterThan(1000);

    const before = unchanging(pool);
    const full = expect.objectContaining({ code: 'pool_full' }) as Error;
    const large = new Uint8Array(256 * 1024);
    for (let again = 0; again < 3; again += 1) {
      expect(() => putPinned(count)).toThrow(full);
      expect(() => pool.put('0', part, large)).toThrow(full);
      expect(() => pool.append('0', part, large)).toThrow(full);
      expect(() => pool.beginPut('draft', part, large.length)).toThrow(full);
    }
    expect(unchanging(pool)).toEqual(before);
    for (let id = 0; id < count; id += 1) {
      using lease = pool.get(String(id), part);
      expect(numberIn(lease?.data as Uint8Array)).toBe(id);
    }
    expect(pool.check()).toMatchObject({ ok: true, errors: [], parts: count });

    expect(pool.unpin('7')).toBe(1);
    putPinned(count);
    expect(pool.describe('7', part)).toBeUndefined();
    expect(pool.stats().pinnedParts).toBe(count);
    expect(pool.check()).toMatchObject({ ok: true, errors: [] });
  });
});

/** What a refused operation must leave as it was. */
function unchanging(pool: Pool): unknown {
  const { contexts, parts, pinnedParts, retiredParts, partBytes, memory } = pool.stats();
  const { liveBytes, reservedBytes } = memory;
  const infos = pool.list({ limit: 10_000 });
  return { contexts, parts, pinnedParts, retiredParts, partBytes, liveBytes, reservedBytes, infos };
}
