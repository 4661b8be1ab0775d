/**
 * LMDB as far as the disk tier uses it: loaded when a pool first asks for a disk tier, so that the package works without it.
 *
 * Opened without overlapping syncs: a commit writes pages, syncs them, and then writes its root with a synchronous write, as LMDB was designed.
 * Without batching by event turns, since that leaves promises behind which nobody can catch when a commit fails.
 */

import { statfs } from 'node:fs/promises';
import { CenoteError, fail } from '../errors.ts';
import { makeEnvironmentFile, refuseDamaged } from './environment-file.ts';

/** What a read sees: everything as it was when the transaction began. */
export interface ReadTransaction {
  done(): void;
}

interface ReadOptions {
  readonly transaction?: ReadTransaction | undefined;
}

export interface RangeOptions extends ReadOptions {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
  readonly limit?: number;
}

/** A table of keys in byte order. */
export interface Table {
  /** A copy of the value. */
  get(key: Uint8Array, options?: ReadOptions): Uint8Array | undefined;
  /** Within a transaction only. Takes a value in private memory: the bytes of shared buffers are not those that would be written. */
  put(key: Uint8Array, value: Uint8Array): unknown;
  /** Within a transaction only. */
  remove(key: Uint8Array): unknown;
  getRange(
    options: RangeOptions,
  ): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  getKeys(options: RangeOptions): Iterable<Uint8Array>;
  /** Reads pages from the disk in another thread. */
  prefetch(keys: readonly Uint8Array[]): Promise<void>;
  /** Reads after it see what other processes have committed. */
  resetReadTxn(): void;
}

export interface Environment {
  openDB(name: string, options: object): Table;
  /** Runs `work` inside a write transaction, which is undone when it throws. Resolves when it is on the disk. */
  childTransaction<T>(work: () => T): Promise<T>;
  useReadTransaction(): ReadTransaction;
  close(): Promise<void>;
}

interface Lmdb {
  open(options: object): Environment;
}

const tablesMax = 8;
/** Threads and processes that read at once. */
const readersMax = 512;

/** @throws lmdb_missing, io_failed, pool_corrupt */
export async function openEnvironment(path: string): Promise<Environment> {
  const lmdb = await loadLmdb();
  const open = (folder: string): Environment =>
    lmdb.open({
      path: folder,
      noSubdir: false,
      overlappingSync: false,
      eventTurnBatching: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: tablesMax,
      maxReaders: readersMax,
      permissionsMode: 0o600,
    });
  try {
    await makeEnvironmentFile(path, (folder) => open(folder).close());
    refuseDamaged(path);
    return open(path);
  } catch (error) {
    if (error instanceof CenoteError) throw error;
    return fail('io_failed', `Cannot open the disk tier in ${path}: ${messageOf(error)}.`, error);
  }
}

export function openTable(environment: Environment, name: string): Table {
  return environment.openDB(name, { encoding: 'binary', keyEncoding: 'binary' });
}

async function loadLmdb(): Promise<Lmdb> {
  try {
    return (await import('lmdb')) as unknown as Lmdb;
  } catch (error) {
    return fail('lmdb_missing', 'The disk tier needs lmdb, which is not installed.', error);
  }
}

/** What a failed transaction means. LMDB calls a full disk an input/output error: how much is free tells them apart. */
export async function commitFault(
  error: unknown,
  path: string,
  wantedBytes: number,
): Promise<CenoteError> {
  if (error instanceof CenoteError) return error;
  const cause = await causeOf(error);
  const full =
    /MDB_MAP_FULL|ENOSPC|No space/i.test(messageOf(cause)) || (await isFull(path, wantedBytes));
  return new CenoteError(
    full ? 'tier_full' : 'io_failed',
    `The disk tier could not commit: ${messageOf(cause)}.`,
    { cause },
  );
}

/** Pages that a commit writes beside what it is for, about. */
const slackBytes: number = 2 ** 20;

async function isFull(path: string, wantedBytes: number): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize < 2 * wantedBytes + slackBytes;
  } catch {
    return false;
  }
}

/** lmdb says why a commit failed in a promise of its own. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
