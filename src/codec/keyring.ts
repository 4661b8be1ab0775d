/**
 * A keyring in a file: a KeyProvider for one machine. The newest key wraps, older ones go on opening what they have wrapped.
 *
 * ```
 * {"cenoteKeyring": 1, "keys": [{"id": "…", "createdAtMs": 0, "key": "base64 of 32 bytes"}, …]}      the newest last; mode 0600
 * wrapped key: nonce 12 │ sealed data key 32 │ tag 16, AES-256-GCM, bound to the id of the key
 * ```
 * Whoever may read the file may open everything: keep it on another file system than what it seals, and back it up there.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { systemClock, type Clock } from '../base/clock.ts';
import { makeFolder } from '../base/folders.ts';
import { isRunning } from '../base/running.ts';
import { CenoteError, fail } from '../errors.ts';
import type { KeyProvider } from './key-provider.ts';
import { dataKeyBytes, nonceBytes, tagBytes } from './seal.ts';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const fileMode = 0o600;
const folderMode = 0o700;
const othersMask = 0o077;
const fileMaxBytes = 2 ** 20;
const wrappedBytes: number = nonceBytes + dataKeyBytes + tagBytes;

interface KeyRow {
  readonly id: string;
  readonly createdAtMs: number;
  /** Base64. */
  readonly key: string;
}

/** A KeyProvider over a file, and the way to add keys to it. */
export interface Keyring extends KeyProvider {
  /** All keys, the newest last. */
  readonly keyIds: readonly string[];
  /** Adds a key, which wraps from now on; it is on the disk when this returns. @throws io_failed, pool_busy while another process does */
  rotate(): string;
}

/**
 * Opens a keyring; makes one with a first key where there is none.
 * @throws key_unavailable when others may read the file, or it is damaged; io_failed
 * @example
 * const pool = await openPool({ path, tiers: { disk: {} }, keyProvider: openKeyring('/etc/cenote/acme.keys') });
 */
export function openKeyring(path: string, clock: Clock = systemClock): Keyring {
  return new FileKeyring(resolve(path), clock);
}

class FileKeyring implements Keyring {
  readonly #path: string;
  readonly #clock: Clock;
  #rows: readonly KeyRow[];

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#rows = readRows(path) ?? this.#first();
  }

  get keyId(): string {
    return this.#newest.id;
  }

  get keyIds(): readonly string[] {
    return this.#rows.map(({ id }) => id);
  }

  rotate(): string {
    const row = freshRow(this.#clock);
    this.#rows = locked(this.#path, () => {
      const rows = [...(readRows(this.#path) ?? []), row];
      writeRows(this.#path, rows, renameSync);
      return rows;
    });
    return row.id;
  }

  async wrap(dataKey: Uint8Array): Promise<Uint8Array> {
    const { id, key } = this.#newest;
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, Buffer.from(key, 'base64'), nonce);
    cipher.setAAD(Buffer.from(id));
    const body = cipher.update(dataKey);
    return Buffer.concat([nonce, body, cipher.final(), cipher.getAuthTag()]);
  }

  async unwrap(keyId: string, wrapped: Uint8Array): Promise<Uint8Array> {
    const row = this.#find(keyId) ?? fail('key_unavailable', `The keyring has no key ${keyId}.`);
    if (wrapped.length !== wrappedBytes) {
      fail('key_unavailable', `${wrapped.length} bytes are not a key that ${keyId} has wrapped.`);
    }
    const nonce = wrapped.subarray(0, nonceBytes);
    const decipher = createDecipheriv(algorithm, Buffer.from(row.key, 'base64'), nonce);
    decipher.setAAD(Buffer.from(keyId));
    decipher.setAuthTag(wrapped.subarray(wrappedBytes - tagBytes));
    const body = decipher.update(wrapped.subarray(nonceBytes, wrappedBytes - tagBytes));
    try {
      return Buffer.concat([body, decipher.final()]);
    } catch (error) {
      return fail('key_unavailable', `Key ${keyId} has not wrapped this.`, error);
    }
  }

  get #newest(): KeyRow {
    return this.#rows.at(-1) as KeyRow;
  }

  /** Another process may have added it since. */
  #find(keyId: string): KeyRow | undefined {
    const known = this.#rows.find(({ id }) => id === keyId);
    if (known !== undefined) return known;
    this.#rows = readRows(this.#path) ?? this.#rows;
    return this.#rows.find(({ id }) => id === keyId);
  }

  /** Two processes may make it at once: the one that comes second takes what is there. */
  #first(): readonly KeyRow[] {
    const rows = [freshRow(this.#clock)];
    coded(this.#path, () => makeFolder(dirname(this.#path), folderMode));
    return writeRows(this.#path, rows, linkSync) ? rows : (readRows(this.#path) ?? rows);
  }
}

function freshRow(clock: Clock): KeyRow {
  return {
    id: randomBytes(8).toString('hex'),
    createdAtMs: Math.floor(clock.nowMs()),
    key: randomBytes(keyBytes).toString('base64'),
  };
}

/** @returns undefined where there is no file @throws key_unavailable, io_failed */
function readRows(path: string): readonly KeyRow[] | undefined {
  let text: string;
  try {
    const file = openSync(path, 'r');
    try {
      const { mode, size } = fstatSync(file);
      if (process.platform !== 'win32' && (mode & othersMask) !== 0) {
        fail('key_unavailable', `Others may read ${path}: its mode must be 600.`);
      }
      if (size > fileMaxBytes) fail('key_unavailable', `${path} is too large for a keyring.`);
      text = readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return failed(path, error);
  }
  return parseRows(path, text);
}

function parseRows(path: string, text: string): readonly KeyRow[] {
  try {
    const { cenoteKeyring, keys } = JSON.parse(text) as {
      readonly cenoteKeyring: unknown;
      readonly keys: readonly KeyRow[];
    };
    const sound = keys.every(
      ({ id, key }) =>
        typeof id === 'string' && id !== '' && Buffer.from(key, 'base64').length === keyBytes,
    );
    if (cenoteKeyring === 1 && keys.length > 0 && sound) return keys;
  } catch {
    // Told below with the other faults of a keyring.
  }
  return fail('key_unavailable', `${path} is not a keyring of this version.`);
}

/** Writes a file beside it, on the disk, and gives that its name with `place`. @returns false when `place` found that name in use */
function writeRows(
  path: string,
  rows: readonly KeyRow[],
  place: (from: string, to: string) => void,
): boolean {
  const partial = `${path}.partial-${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    const file = openSync(partial, 'wx', fileMode);
    try {
      const bytes = Buffer.from(`${JSON.stringify({ cenoteKeyring: 1, keys: rows })}\n`);
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    place(partial, path);
    syncFolder(dirname(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    return failed(path, error);
  } finally {
    rmSync(partial, { force: true });
  }
}

function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Alone among all processes, or not at all: a key that another has added must not be overwritten. */
function locked<T>(path: string, work: () => T): T {
  const lock = `${path}.lock`;
  removeIfAbandoned(lock);
  try {
    const file = openSync(lock, 'wx', fileMode);
    writeSync(file, String(process.pid));
    closeSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return failed(lock, error);
    return fail('pool_busy', `Another process is changing ${path}.`);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function removeIfAbandoned(lock: string): void {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    if (Number.isSafeInteger(pid) && pid > 0 && !isRunning(pid)) rmSync(lock, { force: true });
  } catch {
    // There is none.
  }
}

function coded(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    failed(path, error);
  }
}

function failed(path: string, error: unknown): never {
  if (error instanceof CenoteError) throw error;
  return fail(
    'io_failed',
    `The keyring ${path} cannot be used: ${(error as Error).message}.`,
    error,
  );
}
