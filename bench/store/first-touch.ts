/** put into memory that nobody has touched yet: the kernel hands out each page on the way. Apart from warm pages, always. */

import type { Pool } from 'cenote';
import { measure, type Subject } from '../harness/rounds.ts';
import { type Row, toRow } from '../harness/row.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { conversationIds } from './ids.ts';
import { openBenchPool, part, payloadOf, type RegionType, sizeName } from './pools.ts';

export interface FirstTouchCase {
  readonly name: string;
  readonly region: RegionType;
  readonly sizeBytes: number;
  readonly totalBytes: number;
}

export function firstTouchScenario(it: FirstTouchCase): Scenario {
  return { name: it.name, run: (context) => runFirstTouch(it, context) };
}

async function runFirstTouch(it: FirstTouchCase, context: Context): Promise<Row[]> {
  const operations = it.totalBytes / it.sizeBytes;
  const payload = payloadOf(it.sizeBytes);
  const ours = poolTouch(it, context, conversationIds(operations), payload);
  const measured = await measure([bareTouch(it.totalBytes, payload), ours.subject], {
    operations,
    batch: it.sizeBytes >= 2 ** 16 ? 1 : 50,
    rounds: context.quick ? 3 : 7,
    log: context.log,
  });
  await ours.end();
  const note = `${operations} new parts of ${sizeName(it.sizeBytes)} into a new pool, without checksums`;
  return measured.map((one) =>
    toRow('store', it.name, one, one.name.startsWith('cenote') ? { note } : {}),
  );
}

/** Twice the room, so that the first half of the segments is never reused. */
function poolTouch(
  it: FirstTouchCase,
  context: Context,
  ids: readonly string[],
  payload: Uint8Array,
): { readonly subject: Subject; end(): Promise<void> } {
  let pool: Pool | undefined;
  let opened = 0;
  const end = async (): Promise<void> => {
    await pool?.close();
  };
  const subject: Subject = {
    name: `cenote-${it.region}`,
    async prepare() {
      await end();
      opened += 1;
      pool = await openBenchPool(it.region, context.folder, `fresh-${opened}`, {
        capacityBytes: it.totalBytes * 2,
        checksums: false,
      });
    },
    run(from, to) {
      let versions = 0;
      for (let i = from; i < to; i += 1) {
        versions = (versions + (pool as Pool).put(ids[i] as string, part, payload)) | 0;
      }
      return versions;
    },
  };
  return { subject, end };
}

/** memcpy into a new SharedArrayBuffer. */
function bareTouch(totalBytes: number, payload: Uint8Array): Subject {
  let target = new Uint8Array(new SharedArrayBuffer(0));
  return {
    name: 'memcpy-fresh',
    prepare() {
      target = new Uint8Array(new SharedArrayBuffer(totalBytes));
    },
    run(from, to) {
      for (let i = from; i < to; i += 1) target.set(payload, i * payload.byteLength);
      return target[0] as number;
    },
  };
}
