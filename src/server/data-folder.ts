/**
 * The data folder of a server.
 *
 * ```
 * DATA/                    0700
 * ├── keys.json            0600  { version, keys: [{ tenant, sha256, createdAtMs }] }
 * └── tenants/
 *     └── default/         the folder of the pool of tenant `default`
 * ```
 */

import { randomBytes } from 'node:crypto';
import { link, open, readFile, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { systemClock, type Clock } from '../base/clock.ts';
import { makeFolder } from '../base/folders.ts';
import { fail } from '../errors.ts';
import { defaultTenant, Keyring, keyRecord, type KeyRecord } from './auth.ts';

export interface DataLayout {
  readonly folder: string;
  readonly keysFile: string;
  /** Folder of the pool of tenant `default`. */
  readonly poolFolder: string;
}

export function dataLayout(dataFolder: string): DataLayout {
  return {
    folder: dataFolder,
    keysFile: join(dataFolder, 'keys.json'),
    poolFolder: join(dataFolder, 'tenants', defaultTenant),
  };
}

export interface KeyOptions {
  /** Where CENOTE_API_KEY is looked for. Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Secret randomness. Default: the system's. */
  readonly randomBytes?: (sizeBytes: number) => Buffer;
}

export interface LoadedKeys {
  readonly keyring: Keyring;
  /** The key that was just made; it is stored nowhere, so show it. */
  readonly newKey: string | undefined;
}

const keyRandomBytes = 32;
const fileVersion = 1;

/**
 * The keys of a data folder; makes both on the first start. CENOTE_API_KEY is accepted too while it
 * is set: it is never stored, and no key is made on a first start that has it.
 * @throws invalid_argument for a damaged keys.json or an unusable CENOTE_API_KEY, io_failed
 */
export async function loadOrCreateKey(
  dataFolder: string,
  options: KeyOptions = {},
): Promise<LoadedKeys> {
  const nowMs = (options.clock ?? systemClock).nowMs();
  const preset = (options.env ?? process.env)['CENOTE_API_KEY'];
  const presetRecords = preset === undefined || preset === '' ? [] : [keyRecord(preset, nowMs)];
  const { folder, keysFile } = dataLayout(dataFolder);
  const stored = await readKeys(keysFile);
  if (stored !== undefined || presetRecords.length > 0) {
    return { keyring: new Keyring([...(stored ?? []), ...presetRecords]), newKey: undefined };
  }
  const newKey = `cn_${(options.randomBytes ?? randomBytes)(keyRandomBytes).toString('base64url')}`;
  const records = [keyRecord(newKey, nowMs)];
  await doing(`make the data folder ${folder}`, async () => {
    makeFolder(folder, 0o700);
  });
  const made = await doing(`write ${keysFile}`, () => createKeys(keysFile, records));
  // Another process was first: its key holds, and ours was never shown to anyone.
  if (!made) return loadOrCreateKey(dataFolder, options);
  return { keyring: new Keyring(records), newKey };
}

async function readKeys(keysFile: string): Promise<readonly KeyRecord[] | undefined> {
  const text = await doing(`read ${keysFile}`, async () => {
    try {
      return await readFile(keysFile, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
  return text === undefined ? undefined : parseKeys(keysFile, text);
}

function parseKeys(keysFile: string, text: string): readonly KeyRecord[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    content = undefined;
  }
  if (!isObject(content) || content['version'] !== fileVersion || !Array.isArray(content['keys'])) {
    return fail('invalid_argument', `${keysFile} is not a key file of version ${fileVersion}.`);
  }
  return content['keys'].map((key: unknown) => {
    if (!isObject(key)) return damaged(keysFile);
    const { tenant, sha256, createdAtMs } = key;
    if (typeof tenant !== 'string' || typeof sha256 !== 'string') return damaged(keysFile);
    if (typeof createdAtMs !== 'number') return damaged(keysFile);
    return { tenant, sha256, createdAtMs };
  });
}

function damaged(keysFile: string): never {
  fail(
    'invalid_argument',
    `${keysFile} has a damaged key: restore the file, or remove it to get a new key.`,
  );
}

/**
 * Writes the file whole or not at all, and only if there is none. @returns false when there is one
 */
async function createKeys(keysFile: string, records: readonly KeyRecord[]): Promise<boolean> {
  const draft = `${keysFile}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const text = `${JSON.stringify({ version: fileVersion, keys: records }, undefined, 2)}\n`;
  try {
    await writeDurably(await open(draft, 'wx', 0o600), (file) => file.writeFile(text));
    // Unlike rename, link never replaces a file that another process has made meanwhile.
    await link(draft, keysFile);
    await writeDurably(await open(dirname(keysFile), 'r'), async () => {});
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => {});
  }
}

async function writeDurably(
  file: FileHandle,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    await write(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return fail('io_failed', `Could not ${what}: ${codeOf(error) ?? 'unknown error'}.`, error);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
