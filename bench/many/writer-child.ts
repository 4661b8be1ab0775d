/**
 * A process that fills a pool, an LMDB environment or a Redis server, says so, and then writes to it at full speed while it is told to: `run`,
 * `pause`. argv: what, where, how many ids, bytes of a value, the first of the ids that it writes.
 */

import { Redis } from 'ioredis';
import { openPool } from 'cenote';
import { randomOrder } from '../harness/random.ts';
import { conversationIds } from '../store/ids.ts';
import { openLmdb } from '../store/lmdb.ts';
import { capacityFor, part, payloadOf } from '../store/pools.ts';

/** Writes between two looks at messages. */
const batch = 32;

const [, , what = '', where = '', countText = '', bytesText = '', seedText = ''] = process.argv;
const count = Number(countText);
const sizeBytes = Number(bytesText);
const ids = conversationIds(count);
const payload = payloadOf(sizeBytes);
const value = Buffer.from(payload.buffer);
const order = randomOrder(65_536, count, Number(seedText));

interface Target {
  fill(): Promise<void>;
  /** `batch` writes, from number `from` on. */
  write(from: number): Promise<void> | void;
}

function idAt(i: number): string {
  return ids[order[i & 0xffff] as number] as string;
}

async function poolTarget(): Promise<Target> {
  const capacityBytes = capacityFor(count, sizeBytes) + 16 * sizeBytes;
  const pool = await openPool({ path: where, capacityBytes });
  return {
    async fill() {
      for (const id of ids) pool.put(id, part, payload);
    },
    write(from) {
      for (let i = from; i < from + batch; i += 1) pool.put(idAt(i), part, payload);
    },
  };
}

function lmdbTarget(): Target {
  const db = openLmdb(where, count * sizeBytes);
  return {
    async fill() {
      for (let from = 0; from < count; from += 1000) {
        db.transactionSync(() => {
          for (const id of ids.slice(from, from + 1000)) db.putSync(id, value);
        });
      }
    },
    write(from) {
      for (let i = from; i < from + batch; i += 1) db.putSync(idAt(i), value);
    },
  };
}

function redisTarget(): Target {
  const redis = new Redis({ path: where });
  const many = async (some: readonly string[]): Promise<void> => {
    const pipeline = redis.pipeline();
    for (const id of some) pipeline.set(id, value);
    await pipeline.exec();
  };
  return {
    async fill() {
      for (let from = 0; from < count; from += batch) await many(ids.slice(from, from + batch));
    },
    write: (from) => many(Array.from({ length: batch }, (_, i) => idAt(from + i))),
  };
}

const target =
  what === 'pool' ? await poolTarget() : what === 'lmdb' ? lmdbTarget() : redisTarget();
await target.fill();

let isRunning = false;
let written = 0;
let startedMs = 0;

async function write(): Promise<void> {
  while (isRunning) {
    await target.write(written);
    written += batch;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

process.on('message', (message) => {
  if (message === 'run') {
    isRunning = true;
    written = 0;
    startedMs = performance.now();
    void write();
  } else if (message === 'pause') {
    isRunning = false;
    process.send?.({ perSecond: (written / (performance.now() - startedMs)) * 1000 });
  } else {
    process.exit(0);
  }
});
process.on('disconnect', () => process.exit(1));
process.send?.('filled');
