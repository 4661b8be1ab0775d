/** Earlier versions of parts, as rows of their table. */

import { chunkKey, prefixEnd, versionKey, versionPrefix } from './disk-key.ts';
import { cost, type Disk } from './disk.ts';
import type { ReadTransaction } from './lmdb.ts';
import { decodeRecord, type DiskRecord, encodeRecord } from './record.ts';

/** Earlier versions of a part, the newest first. Damaged ones are left out. */
export function versionsOf(
  disk: Disk,
  key: Uint8Array,
  transaction?: ReadTransaction,
): DiskRecord[] {
  const found: DiskRecord[] = [];
  for (const { key: row, value } of rowsOf(disk, key, transaction)) {
    const record = decodeRecord(row, value);
    if (record !== undefined) found.push(record);
  }
  return found.reverse();
}

/** Within a transaction: removes earlier versions up to one. */
export function removeVersions(disk: Disk, key: Uint8Array, upTo: number): void {
  for (const { key: row, value } of rowsOf(disk, key)) {
    const record = decodeRecord(row, value);
    if (record === undefined || record.version <= upTo) removeRow(disk, row, value);
  }
}

/** Within a transaction. @throws tier_full */
export function putVersion(disk: Disk, key: Uint8Array, record: DiskRecord): void {
  const row = versionKey(key, record.version);
  const value = encodeRecord(row, record);
  const old = disk.versions.get(row);
  if (old !== undefined) removeRow(disk, row, old);
  disk.grow(cost(value));
  disk.versions.put(row, value);
  disk.adopt(record.stowId);
}

/** Within a transaction: only so many stay. */
export function prune(disk: Disk, key: Uint8Array, keeps: number): void {
  const rows = [...rowsOf(disk, key)];
  for (const { key: row, value } of rows.slice(0, Math.max(0, rows.length - keeps))) {
    removeRow(disk, row, value);
  }
}

function removeRow(disk: Disk, row: Uint8Array, value: Uint8Array): void {
  const record = decodeRecord(row, value);
  for (let number = 0; number < (record?.chunks ?? 0); number++) {
    disk.removeChunk(chunkKey((record as DiskRecord).stowId, number));
  }
  disk.versions.remove(row);
  disk.grow(-cost(value));
}

function rowsOf(
  disk: Disk,
  key: Uint8Array,
  transaction?: ReadTransaction,
): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  const start = versionPrefix(key);
  const rows = disk.versions.getRange({ start, end: prefixEnd(start), transaction });
  return Array.from(rows, ({ key: row, value }) => ({
    key: Uint8Array.from(row),
    value: Uint8Array.from(value),
  }));
}

/** One of them; undefined when it is not kept, or damaged. */
export function versionAt(
  disk: Disk,
  key: Uint8Array,
  version: number,
  transaction: ReadTransaction,
): DiskRecord | undefined {
  const row = versionKey(key, version);
  const value = disk.versions.get(row, { transaction });
  return value === undefined ? undefined : decodeRecord(row, value);
}
