/** What a context is to clients that know strings and hashes. */

import type { Pool } from '../../../pool/api.ts';
import { valuePart } from '../values.ts';

export type KeyType = 'none' | 'string' | 'hash';

/** A key with other parts than the value of a string is a hash, and they are its fields. */
export function typeOf(pool: Pool, id: string): KeyType {
  if (pool.where(id, valuePart) === undefined) return pool.has(id) ? 'hash' : 'none';
  return pool.context(id, { limit: 0 })?.partCount === 1 ? 'string' : 'hash';
}
