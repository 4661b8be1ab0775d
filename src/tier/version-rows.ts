/** Earlier versions of parts, as rows of their table. */

import { chunkKey, prefixEnd, versionKey, versionPrefix } from './disk-key.ts';
import { cost, type Disk } from './disk.ts';
import type { ReadTransaction } from './lmdb.ts';
import { decodeRecord, type DiskRecord, encodeRecord } from './record.ts';

interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

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

/**
 * Within a transaction: keeps a version, and only so many of them. @returns false when it is older than all of those
 * @throws tier_full: nothing was changed
 */
export function putVersion(
  disk: Disk,
  key: Uint8Array,
  record: DiskRecord,
  keeps: number,
): boolean {
  const row = versionKey(key, record.version);
  const going = goingFor(disk, key, row, keeps);
  if (going === undefined) return false;
  const value = encodeRecord(row, record);
  disk.reserve(cost(value) - freedBy(going));
  for (const old of going) removeRow(disk, old.key, old.value);
  disk.grow(cost(value));
  disk.versions.put(row, value);
  disk.adopt(record.stowId);
  return true;
}

/**
 * Within a transaction that is about to put `next` in the place of a record: that becomes an earlier version, where it is one of so many.
 * @throws tier_full where there would be no room for `next` then: nothing was changed
 */
export function archive(disk: Disk, key: Uint8Array, next: DiskRecord, keeps: number): void {
  const value = disk.parts.get(key);
  const record = value === undefined ? undefined : decodeRecord(key, value);
  if (record === undefined) return;
  const going = goingFor(disk, key, versionKey(key, record.version), keeps);
  if (going === undefined) return;
  // What moves takes as much where it goes: only the next one is to fit.
  disk.reserve(cost(encodeRecord(key, next)) - freedBy(going));
  disk.detach(key);
  putVersion(disk, key, record, keeps);
}

/** What has to go when a version is kept: its own row of before, and those that are too old beside it. Undefined: it is too old itself. */
function goingFor(disk: Disk, key: Uint8Array, row: Uint8Array, keeps: number): Row[] | undefined {
  const rows = rowsOf(disk, key);
  const later = rows.filter((each) => Buffer.compare(each.key, row) > 0);
  if (later.length >= keeps) return undefined;
  const earlier = rows.filter((each) => Buffer.compare(each.key, row) < 0);
  const stay = earlier.slice(Math.max(0, earlier.length - (keeps - later.length - 1)));
  return rows.filter((each) => !later.includes(each) && !stay.includes(each));
}

/** Bytes that rows and their chunks take, at least. */
function freedBy(rows: readonly Row[]): number {
  return rows.reduce((sum, { key, value }) => {
    const record = decodeRecord(key, value);
    const inChunks = record === undefined || record.chunks === 0 ? 0 : record.sizeBytes;
    return sum + cost(value) + inChunks;
  }, 0);
}

function removeRow(disk: Disk, row: Uint8Array, value: Uint8Array): void {
  const record = decodeRecord(row, value);
  for (let number = 0; number < (record?.chunks ?? 0); number++) {
    disk.removeChunk(chunkKey((record as DiskRecord).stowId, number));
  }
  disk.versions.remove(row);
  disk.grow(-cost(value));
}

function rowsOf(disk: Disk, key: Uint8Array, transaction?: ReadTransaction): Row[] {
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
