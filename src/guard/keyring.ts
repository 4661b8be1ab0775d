/** API keys: who may use the server. Only hashes of keys are kept. */

import { hash as digestOf, randomBytes, timingSafeEqual } from 'node:crypto';

import { show } from '../base/show.ts';
import { fail } from '../errors.ts';
import { scopes, type KeyInfo, type Scope } from './api.ts';
import { defaultTenant } from './quotas.ts';

/** A key as `keys.json` stores it. */
export interface KeyRecord {
  readonly tenant: string;
  /** SHA-256 of the key, hex. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  readonly label?: string;
  readonly createdAtMs: number;
}

/** How a server knows its callers: by key, or (on loopback only) not at all. */
export type Auth = Keyring | 'none';

/** Longest credential that is looked at. */
const keyMaxLength = 512;
const labelMaxLength = 100;
const keyRandomBytes = 32;
const idLength = 12;

/** The keys that a server accepts. */
export class Keyring {
  readonly records: readonly KeyRecord[];
  /**
   * Hashes and records under a keyed hash of the hash, whose key nobody outside knows. Where a search ends depends on that alone,
   * so its time says nothing of the keys, however many there are.
   */
  readonly #byBlindHash = new Map<string, { readonly hash: Buffer; readonly record: KeyRecord }>();
  readonly #blindingKey = randomBytes(keyRandomBytes);
  readonly #nobody = randomBytes(keyRandomBytes);

  /** @throws invalid_argument when a hash is not one */
  constructor(records: readonly KeyRecord[]) {
    this.records = records;
    for (const record of records) {
      if (!/^[0-9a-f]{64}$/.test(record.sha256)) {
        fail('invalid_argument', `A key of tenant ${show(record.tenant)} has no SHA-256 hash.`);
      }
      const hash = Buffer.from(record.sha256, 'hex');
      this.#byBlindHash.set(this.#blind(hash), { hash, record });
    }
  }

  /** A keyring of plain keys of tenant `default`, which may do everything. */
  static of(...keys: readonly string[]): Keyring {
    return new Keyring(keys.map((key) => keyRecord(key, 0)));
  }

  /** The record of a key. Hashes are compared in constant time, and one is compared in any case. */
  find(key: string): KeyRecord | undefined {
    if (key.length === 0 || key.length > keyMaxLength) return undefined;
    const hash = digestOf('sha256', key, 'buffer');
    const found = this.#byBlindHash.get(this.#blind(hash));
    return timingSafeEqual(found?.hash ?? this.#nobody, hash) ? found?.record : undefined;
  }

  /** The tenant that `key` belongs to. */
  tenantOf(key: string): string | undefined {
    return this.find(key)?.tenant;
  }

  #blind(hash: Buffer): string {
    // Both are 32 bytes, always: this needs no HMAC.
    return digestOf('sha256', Buffer.concat([this.#blindingKey, hash]), 'base64');
  }
}

export interface KeyTraits {
  readonly tenant?: string;
  /** Default: all. */
  readonly scopes?: readonly Scope[];
  readonly label?: string;
}

/** What to store of a key. @throws invalid_argument unless it is 1–512 visible ASCII characters */
export function keyRecord(key: string, createdAtMs: number, traits: KeyTraits = {}): KeyRecord {
  if (key.length > keyMaxLength || !/^[\x21-\x7e]+$/.test(key)) {
    fail(
      'invalid_argument',
      `An API key must be 1 to ${keyMaxLength} visible ASCII characters; got ${key.length} characters.`,
    );
  }
  return {
    tenant: traits.tenant ?? defaultTenant,
    sha256: digestOf('sha256', key, 'hex'),
    scopes: traits.scopes ?? scopes,
    ...(traits.label !== undefined && { label: checkLabel(traits.label) }),
    createdAtMs,
  };
}

/** A new key: 256 bits of `random`, `cn_` in front so that scanners of leaked secrets know it. */
export function freshKey(random: (sizeBytes: number) => Buffer = randomBytes): string {
  return `cn_${random(keyRandomBytes).toString('base64url')}`;
}

/** Names a key without telling its hash. The same for as long as the key is kept. */
export function keyIdOf({ sha256 }: KeyRecord): string {
  return digestOf('sha256', `cenote key ${sha256}`, 'hex').slice(0, idLength);
}

export function keyInfoOf(record: KeyRecord): KeyInfo {
  const { tenant, scopes: allowed, label, createdAtMs } = record;
  return { id: keyIdOf(record), tenant, scopes: allowed, label, createdAtMs };
}

/** @throws invalid_argument */
function checkLabel(label: string): string {
  if (label.length <= labelMaxLength && /^[^\p{Cc}]*$/u.test(label) && label.isWellFormed()) {
    return label;
  }
  return fail(
    'invalid_argument',
    `A label is at most ${labelMaxLength} characters without control characters; got ${show(label)}.`,
  );
}
