/** API keys: who may use the server. Only hashes of keys are kept. */

import { createHash, timingSafeEqual } from 'node:crypto';

import { fail } from '../errors.ts';

/** A key as `keys.json` stores it. */
export interface KeyRecord {
  readonly tenant: string;
  /** SHA-256 of the key, hex. */
  readonly sha256: string;
  readonly createdAtMs: number;
}

/** How a server knows its callers: by key, or (on loopback only) not at all. */
export type Auth = Keyring | 'none';

/** Longest credential that is looked at. */
const keyMaxLength = 512;

/** The keys that a server accepts. */
export class Keyring {
  readonly #keys: readonly { readonly tenant: string; readonly hash: Buffer }[];

  /** @throws invalid_argument when a hash is not one */
  constructor(records: readonly KeyRecord[]) {
    this.#keys = records.map(({ tenant, sha256 }) => {
      if (!/^[0-9a-f]{64}$/.test(sha256)) {
        fail(
          'invalid_argument',
          `The key of tenant ${JSON.stringify(tenant)} has no SHA-256 hash.`,
        );
      }
      return { tenant, hash: Buffer.from(sha256, 'hex') };
    });
  }

  /** A keyring of plain keys of tenant `default`. */
  static of(...keys: readonly string[]): Keyring {
    return new Keyring(keys.map((key) => keyRecord(key, 0)));
  }

  /**
   * The tenant that `key` belongs to. Hashes are compared in constant time and all of them, so that
   * the time says nothing about the keys.
   */
  tenantOf(key: string): string | undefined {
    if (key.length === 0 || key.length > keyMaxLength) return undefined;
    const hash = createHash('sha256').update(key).digest();
    let found: string | undefined;
    for (const candidate of this.#keys) {
      if (timingSafeEqual(candidate.hash, hash)) found = candidate.tenant;
    }
    return found;
  }
}

export const defaultTenant = 'default';

/** What to store of a key. @throws invalid_argument unless it is 1–512 visible ASCII characters */
export function keyRecord(
  key: string,
  createdAtMs: number,
  tenant: string = defaultTenant,
): KeyRecord {
  if (key.length > keyMaxLength || !/^[\x21-\x7e]+$/.test(key)) {
    fail(
      'invalid_argument',
      `An API key must be 1 to ${keyMaxLength} visible ASCII characters; got ${key.length} characters.`,
    );
  }
  return { tenant, sha256: createHash('sha256').update(key).digest('hex'), createdAtMs };
}

/** True for hosts that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (name === 'localhost' || name === '::1') return true;
  return /^(::ffff:)?127(\.\d{1,3}){3}$/.test(name);
}

/** A server without keys listens on loopback only. @throws invalid_argument */
export function assertAuthSafe(host: string, auth: Auth): void {
  if (auth === 'none' && !isLoopback(host)) {
    fail(
      'invalid_argument',
      `A server without authentication is refused on ${JSON.stringify(host)}: listen on 127.0.0.1, or use a key.`,
    );
  }
}
