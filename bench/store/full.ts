/**
 * put of new parts into a pool that is full, so that others go for each: what a cache does most of its life. Beside it what a service has without a pool, a
 * Map in order of insertion that drops the eldest: it makes no room for anything, but leaves that to the garbage collector.
 */

import { Random } from '../../src/base/random.ts';
import type { Pool } from 'cenote';
import { measure, type Subject } from '../harness/rounds.ts';
import { type Row, toRow } from '../harness/row.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { memoryOf, openBenchPool, part, payloadOf, type RegionType, sizeName } from './pools.ts';

export interface FullCase {
  readonly name: string;
  readonly region: RegionType;
  /** Lengths are drawn between these, each doubling as often as another. */
  readonly fromBytes: number;
  readonly toBytes: number;
}

const capacityBytes: number = 256 * 2 ** 20;
/** Of what fills the pool, and more. */
const fillFactor = 1.5;
const roundBytes: number = 64 * 2 ** 20;
const drawn = 4096;

export function fullScenario(it: FullCase): Scenario {
  return { name: it.name, run: (context) => runFull(it, context) };
}

/** Lengths in turn. */
function lengthsOf({ fromBytes, toBytes }: FullCase): Int32Array {
  const random = new Random(1);
  const doublings = Math.log2(toBytes / fromBytes);
  return Int32Array.from({ length: drawn }, () =>
    Math.floor(fromBytes * 2 ** ((doublings * random.below(2 ** 20)) / 2 ** 20)),
  );
}

async function runFull(it: FullCase, context: Context): Promise<Row[]> {
  const lengths = lengthsOf(it);
  const meanBytes = lengths.reduce((sum, length) => sum + length, 0) / drawn;
  const payload = payloadOf(it.toBytes);
  const pool = await openBenchPool(it.region, context.folder, it.name, {
    capacityBytes,
    checksums: false,
  });
  const subjects = [poolFull(it, pool, lengths, payload), mapFull(lengths, payload)];
  const most = Math.ceil((fillFactor * capacityBytes) / meanBytes);
  for (const subject of subjects) subject.run(0, most);
  const measured = await measure(subjects, {
    operations: Math.ceil(roundBytes / meanBytes / (context.quick ? 10 : 1)),
    batch: it.fromBytes >= 2 ** 16 ? 1 : 50,
    rounds: context.quick ? 3 : 7,
    log: context.log,
  });
  const memory = memoryOf(pool);
  const { parts } = pool.stats();
  await pool.close();
  const lengthsAre =
    it.fromBytes === it.toBytes
      ? sizeName(it.toBytes)
      : `${it.fromBytes} bytes to ${sizeName(it.toBytes)}`;
  const note = `new parts of ${lengthsAre} into a pool of 256 MiB that is full of ${parts}`;
  return measured.map((one) =>
    toRow('store', it.name, one, one.name.startsWith('cenote') ? { note, memory } : {}),
  );
}

function poolFull(
  { region }: FullCase,
  pool: Pool,
  lengths: Int32Array,
  payload: Uint8Array,
): Subject {
  let puts = 0;
  return {
    name: `cenote-${region}`,
    run(from, to) {
      for (let i = from; i < to; i += 1, puts += 1) {
        const length = lengths[puts % drawn] as number;
        pool.put(`full-${puts}`, part, payload.subarray(0, length));
      }
      return puts;
    },
  };
}

function mapFull(lengths: Int32Array, payload: Uint8Array): Subject {
  const parts = new Map<string, Uint8Array>();
  let heldBytes = 0;
  let puts = 0;
  return {
    name: 'Map',
    run(from, to) {
      for (let i = from; i < to; i += 1, puts += 1) {
        const length = lengths[puts % drawn] as number;
        for (const [id, bytes] of parts) {
          if (heldBytes + length <= capacityBytes) break;
          parts.delete(id);
          heldBytes -= bytes.byteLength;
        }
        parts.set(`full-${puts}`, payload.slice(0, length));
        heldBytes += length;
      }
      return puts;
    },
  };
}
