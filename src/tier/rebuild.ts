/**
 * A pool made anew from its disk, after the machine went down: the parts that were written last come back to memory, as far as there is room with a reserve;
 * the others stay on the disk, where `load` finds them. Cut short, it goes on at the next opening with what is not there yet.
 */

import { hasCode } from '../errors.ts';
import { withPen } from '../store/pen.ts';
import { raiseVersion } from '../store/publish.ts';
import { partNamed } from '../store/stable.ts';
import { namesOfKey } from './disk-key.ts';
import type { DiskTier } from './disk-tier.ts';
import type { ReadTransaction } from './lmdb.ts';
import { bringBack } from './promote.ts';
import { decodeRecord, type DiskRecord } from './record.ts';

/** Records between two turns of the event loop. */
const recordsPerTurn = 64;
/** What a part takes in memory beside its bytes, about, and what rounding adds. */
const partOverheadBytes = 256;
const roundingFactor = 1.125;

export interface RebuildOptions {
  /** Bytes of memory that may be filled. */
  readonly roomBytes: number;
  /** Only parts that are in memory in an older version. */
  readonly onlyStale?: boolean;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface RebuildReport {
  /** Parts that are in memory now. */
  parts: number;
  bytes: number;
  /** Parts that stayed on the disk. */
  left: number;
  /** Records that are damaged: they stay, and are reported to who loads them. */
  corrupt: number;
}

interface Plan {
  /** Parts of this version and above come back. */
  readonly fromVersion: number;
  readonly totalBytes: number;
}

export async function rebuild(tier: DiskTier, options: RebuildOptions): Promise<RebuildReport> {
  const report: RebuildReport = { parts: 0, bytes: 0, left: 0, corrupt: 0 };
  const transaction = tier.disk.snapshot();
  try {
    const plan = await makePlan(tier, transaction, options);
    for await (const { key, record } of records(tier, transaction)) {
      if (record === undefined) report.corrupt++;
      else if (!isWanted(tier, key, record, options)) continue;
      else if (record.version < plan.fromVersion && !record.pinned) report.left++;
      else await bring(tier, key, record, transaction, report);
      // The last word is said below, whatever was found on the way.
      if (report.bytes < plan.totalBytes) options.onProgress?.(report.bytes, plan.totalBytes);
    }
    options.onProgress?.(report.bytes, report.bytes);
  } finally {
    transaction.done();
  }
  return report;
}

async function bring(
  tier: DiskTier,
  key: Uint8Array,
  record: DiskRecord,
  transaction: ReadTransaction,
  report: RebuildReport,
): Promise<void> {
  try {
    const came = await bringBack(tier, { ...namesOfKey(key), key, record, transaction }, undefined);
    if (came === 'full') report.left++;
    if (came !== 'there') return;
    report.parts++;
    report.bytes += record.sizeBytes;
    tier.step('rebuild:part');
  } catch (error) {
    if (!hasCode(error, 'part_corrupt') && !hasCode(error, 'key_unavailable')) throw error;
    // Who loads it is told.
    report.corrupt++;
  }
}

function isWanted(
  { store, doomed }: DiskTier,
  key: Uint8Array,
  { version, expiresAtMs }: DiskRecord,
  { onlyStale }: RebuildOptions,
): boolean {
  if (doomed.has(key, version)) return false;
  if (expiresAtMs !== 0 && expiresAtMs <= store.options.clock.nowMs()) return false;
  if (onlyStale !== true) return true;
  const { id, part } = namesOfKey(key);
  return partNamed(store, id, part) !== 0;
}

/** Looks at all records: how many bytes come back, and which are the newest that fit. The version clock is above all of them afterwards. */
async function makePlan(
  tier: DiskTier,
  transaction: ReadTransaction,
  options: RebuildOptions,
): Promise<Plan> {
  const found: { readonly version: number; readonly sizeBytes: number }[] = [];
  let highest = 0;
  for await (const { key, record } of records(tier, transaction)) {
    if (record === undefined) continue;
    highest = Math.max(highest, record.version);
    if (isWanted(tier, key, record, options)) {
      found.push({ version: record.version, sizeBytes: record.sizeBytes });
    }
  }
  withPen(tier.store, () => raiseVersion(tier.store, highest));
  found.sort((a, b) => b.version - a.version);
  let roomBytes = options.roomBytes;
  let totalBytes = 0;
  for (const { version, sizeBytes } of found) {
    roomBytes -= sizeBytes * roundingFactor + partOverheadBytes;
    if (roomBytes < 0) return { fromVersion: version + 1, totalBytes };
    totalBytes += sizeBytes;
  }
  return { fromVersion: 0, totalBytes };
}

async function* records(
  tier: DiskTier,
  transaction: ReadTransaction,
): AsyncGenerator<{ readonly key: Uint8Array; readonly record: DiskRecord | undefined }> {
  let count = 0;
  for (const { key, value } of tier.disk.parts.getRange({ transaction })) {
    const own = Uint8Array.from(key);
    yield { key: own, record: decodeRecord(own, Uint8Array.from(value)) };
    if (++count % recordsPerTurn === 0) await new Promise((resolve) => void setImmediate(resolve));
  }
}
