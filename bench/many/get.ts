/**
 * get from a second process while the first writes at full speed: ours, lmdb with the same two processes, and Redis over a unix socket. Each has its
 * own writer, which runs only while its reader is measured.
 */

import { Redis } from 'ioredis';
import { openPool } from 'cenote';
import { Histogram } from '../../src/base/histogram.ts';
import { fitting } from '../harness/machine.ts';
import { randomOrder } from '../harness/random.ts';
import { type Bar, type Row, toRow } from '../harness/row.ts';
import { median } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { conversationIds } from '../store/ids.ts';
import { lmdbGet, openLmdb } from '../store/lmdb.ts';
import { part, sizeName } from '../store/pools.ts';
import { startRedisAt } from './redis.ts';
import { pin, Writer } from './writer.ts';

export interface ManyGetCase {
  readonly sizeBytes: number;
  readonly count: number;
  readonly lmdbBar: number;
  readonly redisBar: number;
}

interface Reader {
  readonly name: string;
  readonly writer: Writer;
  readonly operations: number;
  read(from: number, to: number): number | Promise<number>;
  end(): Promise<void>;
}

interface Measured {
  readonly roundsNs: number[];
  readonly histogram: Histogram;
  readonly writesPerSecond: number[];
}

const barNs = 600;
const batch = 50;
/** Of available memory, for the three copies together. */
const memoryShare = 0.5;

export function manyGetScenario(it: ManyGetCase): Scenario {
  return { name: `get-${sizeName(it.sizeBytes)}`, run: (context) => runGet(it, context) };
}

async function runGet(it: ManyGetCase, context: Context): Promise<Row[]> {
  const wanted = context.quick ? Math.ceil(it.count / 10) : it.count;
  const count = fitting(wanted, it.sizeBytes * 3.6, memoryShare);
  if (count < wanted) context.log(`  only ${count} of ${wanted} ids fit into memory`);
  pin(process.pid, 1);
  const readers = [
    await poolReader(it, context, count),
    await lmdbReader(it, context, count),
    await redisReader(it, context, count),
  ].filter((reader) => reader !== undefined);
  const measured = readers.map(() => ({
    roundsNs: [],
    histogram: new Histogram(),
    writesPerSecond: [],
  }));
  for (let round = -2; round < (context.quick ? 3 : 7); round += 1) {
    for (const [i, reader] of readers.entries()) {
      await timeRound(reader, measured[i] as Measured, round < 0);
    }
  }
  for (const reader of readers) await reader.end();
  return rowsOf(it, count, readers, measured);
}

async function timeRound(reader: Reader, into: Measured, isWarmUp: boolean): Promise<void> {
  reader.writer.run();
  const histogram = isWarmUp ? new Histogram() : into.histogram;
  const startMs = performance.now();
  let lastMs = startMs;
  for (let from = 0; from < reader.operations; from += batch) {
    const result = reader.read(from, from + batch);
    if (typeof result !== 'number') await result;
    const nowMs = performance.now();
    histogram.record((nowMs - lastMs) * 1e6);
    lastMs = nowMs;
  }
  const writesPerSecond = await reader.writer.pause();
  if (isWarmUp) return;
  into.roundsNs.push(((lastMs - startMs) * 1e6) / reader.operations);
  into.writesPerSecond.push(writesPerSecond);
}

function rowsOf(
  it: ManyGetCase,
  count: number,
  readers: readonly Reader[],
  measured: readonly Measured[],
): Row[] {
  const ours = measured[0] as Measured;
  const limits = [undefined, it.lmdbBar, it.redisBar];
  // The median of batches: what else runs on the machine takes turns with two processes more than with one.
  const typicalNs = ({ histogram }: Measured): number => histogram.quantile(0.5) / batch;
  const bars: Bar[] = [
    { what: 'ns/op at p50', value: typicalNs(ours), limit: barNs, direction: 'atMost' },
  ];
  for (const [i, { name }] of readers.entries()) {
    const limit = limits[i];
    if (limit === undefined) continue;
    const value = typicalNs(measured[i] as Measured) / typicalNs(ours);
    bars.push({ what: `× faster than ${name} at p50`, value, limit, direction: 'atLeast' });
  }
  return readers.map(({ name }, i) => {
    const one = measured[i] as Measured;
    const writes = Math.round(median(one.writesPerSecond));
    const note = `${count} ids at random, beside ${writes} writes per second`;
    const { roundsNs, histogram } = one;
    const row = { name, batch, roundsNs, histogram, settled: true };
    return toRow('many', `get-${sizeName(it.sizeBytes)}`, row, i === 0 ? { note, bars } : { note });
  });
}

async function poolReader(it: ManyGetCase, context: Context, count: number): Promise<Reader> {
  const path = `${context.folder}/pool`;
  const writer = await Writer.start('pool', path, count, it.sizeBytes);
  const pool = await openPool({ path });
  const ids = conversationIds(count);
  const operations = context.quick ? 20_000 : 200_000;
  const order = randomOrder(operations, count, 7);
  return {
    name: 'cenote',
    writer,
    operations,
    read(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const lease = pool.get(ids[order[i] as number] as string, part);
        if (lease === undefined) throw new Error('the pool lost an id');
        sum = (sum + lease.sizeBytes) | 0;
        lease.release();
      }
      return sum;
    },
    async end() {
      await pool.close();
      await writer.end();
    },
  };
}

async function lmdbReader(it: ManyGetCase, context: Context, count: number): Promise<Reader> {
  const writer = await Writer.start('lmdb', context.folder, count, it.sizeBytes);
  const db = openLmdb(context.folder, count * it.sizeBytes);
  const operations = (context.quick ? 2000 : 40_000) / (it.sizeBytes >= 2 ** 20 ? 40 : 2);
  const order = randomOrder(operations, count, 7);
  const subject = lmdbGet(db, conversationIds(count), order);
  return {
    name: subject.name,
    writer,
    operations,
    read: (from, to) => subject.run(from, to),
    async end() {
      await db.close();
      await writer.end();
    },
  };
}

async function redisReader(
  it: ManyGetCase,
  context: Context,
  count: number,
): Promise<Reader | undefined> {
  const path = `${context.folder}/redis.sock`;
  const server = await startRedisAt(path);
  if (server === undefined) {
    context.log('  no redis-server: provide it with `sudo apt-get install redis-server`');
    return undefined;
  }
  const writer = await Writer.start('redis', path, count, it.sizeBytes);
  const redis = new Redis({ path });
  const ids = conversationIds(count);
  const operations = it.sizeBytes >= 2 ** 20 ? 200 : 2000;
  const order = randomOrder(operations, count, 7);
  return {
    name: 'redis',
    writer,
    operations,
    async read(from, to) {
      let sum = 0;
      for (let i = from; i < to; i += 1) {
        const bytes = await redis.getBuffer(ids[order[i] as number] as string);
        sum = (sum + (bytes?.[0] ?? 0)) | 0;
      }
      return sum;
    },
    async end() {
      redis.disconnect();
      await writer.end();
      await server.stop();
    },
  };
}
