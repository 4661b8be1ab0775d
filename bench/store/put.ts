/**
 * put on warm pages, beside what it cannot do without: a copy of the bytes, and zlib's crc32 of them.
 *
 * The pool replaces its parts in turn, so that each put writes to the block that the previous one gave up and the writes
 * rotate through `count + 1` blocks. memcpy rotates through `count` blocks of the same size in the same kind of memory: the
 * leased parts of a second pool. All read from the same few sources.
 */

import { crc32 } from '../../src/base/checksum.ts';
import type { Lease, Pool } from 'cenote';
import { measure, type Measured, type Subject } from '../harness/rounds.ts';
import { type Bar, type Row, type RowExtras, toRow } from '../harness/row.ts';
import { ratioByRounds } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { conversationIds } from './ids.ts';
import { fillLmdb, lmdbPut, openLmdb } from './lmdb.ts';
import {
  capacityFor,
  fill,
  memoryOf,
  openBenchPool,
  part,
  payloadOf,
  type RegionType,
  sizeName,
} from './pools.ts';

export interface PutCase {
  readonly name: string;
  readonly region: RegionType;
  readonly sizeBytes: number;
  /** Parts replaced in turn: the working set is `count` · `sizeBytes`. */
  readonly count: number;
  readonly withBars: boolean;
}

const plainBarRatio = 1.3;
const checkedBarRatio = 1.15;
const sourceCount = 4;

export function putScenario(it: PutCase): Scenario {
  return { name: it.name, run: (context) => runPut(it, context) };
}

async function runPut(it: PutCase, context: Context): Promise<Row[]> {
  const ids = conversationIds(it.count);
  const sources = Array.from({ length: sourceCount }, (_, seed) => payloadOf(it.sizeBytes, seed));
  const [first] = sources as [Uint8Array];
  const capacityBytes = capacityFor(it.count + 1, it.sizeBytes);
  const open = async (name: string, checksums: boolean): Promise<Pool> => {
    const pool = await openBenchPool(it.region, context.folder, name, { capacityBytes, checksums });
    fill(pool, ids, first);
    return pool;
  };
  const plain = await open('plain', false);
  const checked = await open('checked', true);
  const beside = await open('beside', false);
  const leases = ids.map((id) => beside.get(id, part) as Lease);
  const targets = leases.map((lease) => lease.data as Uint8Array);
  const db = openLmdb(context.folder, it.count * it.sizeBytes * 2);
  fillLmdb(db, ids, first);

  const operations = roundOperations(it.sizeBytes, context.quick);
  const slow = Math.max(20, Math.ceil(operations / 20));
  const measured = await measure(
    [
      copy(targets, sources),
      poolPut('cenote-plain', plain, ids, sources),
      copyAndCheck(targets, sources),
      poolPut('cenote-crc32', checked, ids, sources),
      { ...lmdbPut(db, ids, sources), operations: slow },
      mapPut(ids, sources),
    ],
    { operations, batch: batchOf(it.sizeBytes), rounds: context.quick ? 3 : 11, log: context.log },
  );
  const extras = { plain: memoryOf(plain), checked: memoryOf(checked) };
  for (const lease of leases) lease.release();
  for (const pool of [plain, checked, beside]) await pool.close();
  await db.close();
  return toRows(it, measured, extras);
}

function toRows(
  it: PutCase,
  measured: readonly Measured[],
  memory: Record<'plain' | 'checked', ReturnType<typeof memoryOf>>,
): Row[] {
  const find = (name: string): readonly number[] =>
    measured.find((one) => one.name === name)?.roundsNs ?? [];
  const bar = (what: string, ours: string, base: string, limit: number): Bar[] =>
    it.withBars
      ? [{ what, value: ratioByRounds(find(ours), find(base)), limit, direction: 'atMost' }]
      : [];
  const extras: Record<string, RowExtras> = {
    'cenote-plain': {
      memory: memory.plain,
      bars: bar('× memcpy', 'cenote-plain', 'memcpy', plainBarRatio),
      note: `replacing ${it.count} parts of ${sizeName(it.sizeBytes)} in turn`,
    },
    'cenote-crc32': {
      memory: memory.checked,
      bars: bar('× (memcpy + crc32)', 'cenote-crc32', 'memcpy+crc32', checkedBarRatio),
    },
  };
  return measured.map((one) => toRow('store', it.name, one, extras[one.name] ?? {}));
}

/** About 4 GiB of copies in a round, at most 200,000 operations. */
function roundOperations(sizeBytes: number, quick: boolean): number {
  return Math.min(200_000, Math.ceil((quick ? 2 ** 28 : 2 ** 32) / sizeBytes));
}

/** So that reading the clock stays below one part in a hundred. */
function batchOf(sizeBytes: number): number {
  return sizeBytes >= 2 ** 20 ? 1 : sizeBytes >= 2 ** 16 ? 4 : 50;
}

function poolPut(
  name: string,
  pool: Pool,
  ids: readonly string[],
  sources: readonly Uint8Array[],
): Subject {
  let next = 0;
  return {
    name,
    run(from, to) {
      for (let i = from; i < to; i += 1) {
        pool.put(ids[next] as string, part, sources[i % sourceCount] as Uint8Array);
        next = next + 1 === ids.length ? 0 : next + 1;
      }
      return next;
    },
  };
}

function copy(targets: readonly Uint8Array[], sources: readonly Uint8Array[]): Subject {
  let next = 0;
  return {
    name: 'memcpy',
    run(from, to) {
      for (let i = from; i < to; i += 1) {
        (targets[next] as Uint8Array).set(sources[i % sourceCount] as Uint8Array);
        next = next + 1 === targets.length ? 0 : next + 1;
      }
      return next + Number((targets[next] as Uint8Array)[0]);
    },
  };
}

function copyAndCheck(targets: readonly Uint8Array[], sources: readonly Uint8Array[]): Subject {
  let next = 0;
  return {
    name: 'memcpy+crc32',
    run(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const source = sources[i % sourceCount] as Uint8Array;
        sum = (sum + crc32(source)) | 0;
        (targets[next] as Uint8Array).set(source);
        next = next + 1 === targets.length ? 0 : next + 1;
      }
      return sum;
    },
  };
}

/** What a program does without a pool: a copy on its own heap's side, left to the garbage collector. */
function mapPut(ids: readonly string[], sources: readonly Uint8Array[]): Subject {
  const map = new Map<string, Buffer>();
  let next = 0;
  return {
    name: 'map-copy',
    run(from, to) {
      for (let i = from; i < to; i += 1) {
        map.set(ids[next] as string, Buffer.from(sources[i % sourceCount] as Uint8Array));
        next = next + 1 === ids.length ? 0 : next + 1;
      }
      return map.size;
    },
  };
}
