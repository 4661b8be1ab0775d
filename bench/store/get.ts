/**
 * get: string id → leased view → release. A second row of ours also reads the first element: the memory behind a view is only touched by
 * whoever reads it, and at random that is a miss of cache and page table of its own. lmdb copies the value.
 */

import { LRUCache } from 'lru-cache';
import type { Pool } from 'cenote';
import { fitting } from '../harness/machine.ts';
import { randomOrder } from '../harness/random.ts';
import { measure, type Measured, type Subject } from '../harness/rounds.ts';
import { type Bar, type Row, toRow } from '../harness/row.ts';
import { median, ratioByRounds } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { conversationIds, uuidIds } from './ids.ts';
import { fillLmdb, lmdbGet, openLmdb } from './lmdb.ts';
import {
  capacityFor,
  fill,
  memoryOf,
  openBenchPool,
  part,
  payloadOf,
  type RegionType,
} from './pools.ts';

export interface GetCase {
  readonly name: string;
  readonly region: RegionType;
  readonly sizeBytes: number;
  readonly ids: 'conversation' | 'uuid';
  readonly count: number;
  /** One id only, always the same. */
  readonly hot: boolean;
  /** Longest time per operation, or no bars. */
  readonly barNs?: number;
}

const lmdbBarRatio = 2.5;
/** Of available memory, for the pool and lmdb together: others may be at work on the machine. */
const memoryShare = 0.7;
/** Copies of the payloads on the JavaScript heap's side only where they are small. */
const heapPeersBytesMax = 512 * 2 ** 20;

export function getScenario(it: GetCase): Scenario {
  return { name: it.name, run: (context) => runGet(it, context) };
}

async function runGet(it: GetCase, context: Context): Promise<Row[]> {
  const wanted = context.quick ? Math.ceil(it.count / 10) : it.count;
  const count = fitting(wanted, it.sizeBytes * 2.2, memoryShare);
  if (count < wanted) context.log(`  only ${count} of ${wanted} ids fit into memory`);
  const ids = it.ids === 'uuid' ? uuidIds(count) : conversationIds(count);
  const payload = payloadOf(it.sizeBytes);
  const pool = await openBenchPool(it.region, context.folder, 'pool', {
    capacityBytes: capacityFor(count, it.sizeBytes),
  });
  fill(pool, ids, payload);
  const db = openLmdb(context.folder, count * it.sizeBytes);
  fillLmdb(db, ids, payload);

  const operations = operationsOf(it.sizeBytes, context.quick);
  const order = it.hot ? new Int32Array(operations.ours) : randomOrder(operations.ours, count, 7);
  const subjects: Subject[] = [
    voidGet(ids, order),
    poolGet(`cenote-${it.region}`, pool, ids, order),
    poolGetAndRead(`cenote-${it.region}-read`, pool, ids, order),
    { ...lmdbGet(db, ids, order), operations: operations.lmdb },
    ...heapPeers(ids, order, payload),
  ];
  const plan = {
    operations: operations.ours,
    batch: 100,
    rounds: context.quick ? 3 : 9,
    log: context.log,
  };
  const measured = await measure(subjects, plan);
  const memory = memoryOf(pool);
  await pool.close();
  await db.close();
  return toRows(it, count, measured, memory);
}

function toRows(
  it: GetCase,
  count: number,
  measured: readonly Measured[],
  memory: ReturnType<typeof memoryOf>,
): Row[] {
  const ours = measured.find(({ name }) => name.startsWith('cenote'));
  const lmdb = measured.find(({ name }) => name === 'lmdb');
  if (ours === undefined || lmdb === undefined) throw new Error('a subject is missing');
  const bars: Bar[] = [];
  if (it.barNs !== undefined) {
    bars.push({
      what: 'ns/op',
      value: median(ours.roundsNs),
      limit: it.barNs,
      direction: 'atMost',
    });
  }
  if (!it.hot) {
    const value = ratioByRounds(lmdb.roundsNs, ours.roundsNs);
    bars.push({ what: '× faster than lmdb', value, limit: lmdbBarRatio, direction: 'atLeast' });
  }
  const note = it.hot ? `1 of ${count} ids` : `${count} ids at random`;
  return measured.map((one) =>
    toRow('store', it.name, one, one === ours ? { memory, bars, note } : {}),
  );
}

/** One round takes about a tenth of a second or more for ours, seconds at most for a peer that copies. */
function operationsOf(sizeBytes: number, quick: boolean): { ours: number; lmdb: number } {
  const ours = quick ? 50_000 : 400_000;
  const lmdbShare = sizeBytes >= 2 ** 20 ? 100 : sizeBytes >= 2 ** 16 ? 5 : 1;
  return { ours, lmdb: ours / lmdbShare };
}

/** The same loop with no store: what the harness itself costs. */
function voidGet(ids: readonly string[], order: Int32Array): Subject {
  return {
    name: 'void',
    run(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1)
        sum = (sum + (ids[order[i] as number] as string).length) | 0;
      return sum;
    },
  };
}

function poolGet(name: string, pool: Pool, ids: readonly string[], order: Int32Array): Subject {
  return {
    name,
    run(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const lease = pool.get(ids[order[i] as number] as string, part);
        if (lease === undefined) throw new Error('the pool lost an id');
        sum = (sum + lease.data.length) | 0;
        lease.release();
      }
      return sum;
    },
  };
}

/** A loop of its own, for the reason given at lruGet. */
function poolGetAndRead(
  name: string,
  pool: Pool,
  ids: readonly string[],
  order: Int32Array,
): Subject {
  return {
    name,
    run(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const lease = pool.get(ids[order[i] as number] as string, part);
        if (lease === undefined) throw new Error('the pool lost an id');
        sum = (sum + ((lease.data as Uint8Array)[0] as number)) | 0;
        lease.release();
      }
      return sum;
    },
  };
}

/** A Map and an LRU cache of copied buffers: what a program keeps on its own heap. */
function heapPeers(ids: readonly string[], order: Int32Array, payload: Uint8Array): Subject[] {
  if (ids.length * payload.byteLength > heapPeersBytesMax) return [];
  const map = new Map<string, Buffer>();
  const lru = new LRUCache<string, Buffer>({ max: ids.length });
  for (const id of ids) {
    const copy = Buffer.from(payload);
    map.set(id, copy);
    lru.set(id, copy);
  }
  return [mapGet(map, ids, order), lruGet(lru, ids, order)];
}

function mapGet(map: Map<string, Buffer>, ids: readonly string[], order: Int32Array): Subject {
  return {
    name: 'map',
    run(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const bytes = map.get(ids[order[i] as number] as string);
        if (bytes !== undefined) sum = (sum + (bytes[0] as number)) | 0;
      }
      return sum;
    },
  };
}

/** A loop of its own: one loop over both would make each of them polymorphic. */
function lruGet(lru: LRUCache<string, Buffer>, ids: readonly string[], order: Int32Array): Subject {
  return {
    name: 'lru-cache',
    run(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const bytes = lru.get(ids[order[i] as number] as string);
        if (bytes !== undefined) sum = (sum + (bytes[0] as number)) | 0;
      }
      return sum;
    },
  };
}
