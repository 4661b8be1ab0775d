/** Names of blocks: the chain over all tokens up to a block's end, which starts from the model, the engine's salt and the tenant. */

import { createHash, createHmac } from 'node:crypto';
import { chainBlock, stateWords } from '../../kv/chain.ts';
import { scopeOf } from '../../kv/scope.ts';
import { blockTokens, fingerprintBytes, keyWords } from './block.ts';
import type { RowShape } from './rows.ts';

/** Changes when blocks of older releases are not to be read any more. */
const formatVersion = 1;

/** All that the numbers in a block depend on, beside its tokens. */
export interface ModelIdentity {
  /** SHA-256 of the file, in hex. */
  readonly digest: string;
  /** What the library says of itself. */
  readonly libraryVersion: string;
  readonly flashAttention: boolean;
  /** Whether they depend on their own sequence alone. */
  readonly exact: boolean;
  readonly shape: RowShape;
}

/** 16 bytes. */
export function fingerprintOf(identity: ModelIdentity): Uint8Array {
  const { digest, libraryVersion, flashAttention, exact, shape } = identity;
  const { types, rowBytes } = shape;
  const parts = [formatVersion, blockTokens, digest, libraryVersion, flashAttention, exact];
  const text = JSON.stringify([...parts, types, rowBytes]);
  return createHash('sha256').update(text).digest().subarray(0, fingerprintBytes);
}

/** Where chains of a tenant start. Nobody finds them without the salt. */
export function chainStart(fingerprint: Uint8Array, salt: string, tenant: string): Int32Array {
  const secret = createHmac('sha256', salt).update(fingerprint).digest();
  return scopeOf(secret, { salt: tenant }).start;
}

/** Keys of all whole blocks of a sequence, `keyWords` each. */
export function keysOf(start: Int32Array, tokens: Int32Array): Int32Array {
  const blocks = Math.floor(tokens.length / blockTokens);
  const keys = new Int32Array(blocks * keyWords);
  const state = start.slice(0, stateWords);
  for (let block = 0; block < blocks; block++) {
    chainBlock(state, 0, tokens, block * blockTokens, blockTokens, 0, keys, block * keyWords);
  }
  return keys;
}

/** What the names of blocks begin with. */
export const contextPrefix = 'kv:';

/** The context of a pool in which a block is. */
export function nameOf(keys: Int32Array, block: number): string {
  let name: string = contextPrefix;
  for (let word = 0; word < keyWords; word++) {
    const value = (keys[block * keyWords + word] as number) >>> 0;
    name += value.toString(16).padStart(8, '0');
  }
  return name;
}
