/** Where chains of keys start: one start per tenant and adapter, so that neither finds the blocks of another. */

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { fail } from '../errors.ts';
import { stateWords } from './chain.ts';

/** What a block depends on beside its tokens, for all blocks of a sequence. */
export interface ScopeOptions {
  /** The tenant's salt, from its credential, never from a request's own fields. */
  readonly salt?: string;
  /** The adapter (LoRA) that the model runs with. */
  readonly adapter?: string;
}

/** A start of chains. Made once per tenant and adapter, kept by the caller. */
export interface Scope {
  /** `stateWords` secret words. */
  readonly start: Int32Array;
}

const secretBytesMin = 16;

/** A secret that nobody can foresee. */
export function freshSecret(): Uint8Array {
  return randomBytes(32);
}

/** @throws invalid_argument */
export function checkSecret(secret: Uint8Array): void {
  if (secret.length < secretBytesMin) {
    fail('invalid_argument', `a secret has at least ${secretBytesMin} bytes, not ${secret.length}`);
  }
}

/** HMAC-SHA-256 over the lengths and texts of salt and adapter: its 256 bits are the words of both lanes. */
export function scopeOf(secret: Uint8Array, { salt = '', adapter = '' }: ScopeOptions): Scope {
  const [first, second] = [Buffer.from(salt), Buffer.from(adapter)];
  const lengths = new Uint8Array(Uint32Array.of(first.length, second.length).buffer);
  const digest = createHmac('sha256', secret).update(lengths).update(first).update(second).digest();
  return { start: wordsOf(digest, stateWords) };
}

/** Words of a digest of anything. */
export function digestWords(data: string | Uint8Array, count: number): Int32Array {
  return wordsOf(createHash('sha256').update(data).digest(), count);
}

function wordsOf(digest: Buffer, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => digest.readInt32LE(4 * i));
}
