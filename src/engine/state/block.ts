/**
 * A block: the attention state of 16 tokens of a sequence, as a part of a pool.
 *
 * ```
 * byte 0       4         8          12           16            32     48             112       128
 *      ┌───────┬─────────┬──────────┬────────────┬─────────────┬──────┬──────────────┬─────────┬──────────────────────────────────────────────┐
 *      │ magic │ crc32 of│ position │ bytes of   │ fingerprint │ key  │ its 16 tokens│ 0       │ 16 rows of array 0 │ 16 rows of array 1 │ …  │
 *      │ CKV1  │ the rest│ of first │ all rows   │ (16 bytes)  │ (16) │ (i32 each)   │         │ (keys of all layers, then their values)      │
 *      └───────┴─────────┴──────────┴────────────┴─────────────┴──────┴──────────────┴─────────┴──────────────────────────────────────────────┘
 * ```
 * The key says what the part's name says: the chain of all tokens up to the block's end. The fingerprint is of the model and how it is run. Both are in the
 * block too, with its tokens, so that bytes under a wrong name are known for what they are. The checksum is the block's own: the pool's is looked at
 * after crashes only.
 */

import { crc32 } from '../../base/checksum.ts';
import type { Refusal } from '../api.ts';
import type { RowShape } from './rows.ts';

export const blockTokens = 16;
export const blockHeadBytes = 128;

const magic = 0x3156_4b43;
const crcAt = 4;
const positionAt = 8;
const rowsAt = 12;
const fingerprintAt = 16;
const keyAt = 32;
const tokensAt = 48;
export const fingerprintBytes = 16;
export const keyWords = 4;

/** What a block must be, to be used where it is found. */
export interface BlockIdentity {
  readonly fingerprint: Uint8Array;
  readonly shape: RowShape;
  readonly tokens: Int32Array;
  /** `keyWords` per block. */
  readonly keys: Int32Array;
  /** Of whoever's they are: all go with it. */
  readonly tag: string;
}

export function blockBytes(shape: RowShape): number {
  return blockHeadBytes + blockTokens * shape.tokenBytes;
}

/** The head of block `index`, with the checksum of `rows`, which follow it. */
export function headOf(
  identity: BlockIdentity,
  index: number,
  rows: readonly Uint8Array[],
): Uint8Array {
  const head = new Uint8Array(blockHeadBytes);
  writeIdentity(head, identity, index);
  let crc = crc32(head.subarray(positionAt));
  for (const piece of rows) crc = crc32(piece, crc);
  new DataView(head.buffer).setInt32(crcAt, crc, true);
  return head;
}

function writeIdentity(head: Uint8Array, identity: BlockIdentity, index: number): void {
  const { fingerprint, shape, tokens, keys } = identity;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const position = index * blockTokens;
  view.setUint32(0, magic, true);
  view.setUint32(positionAt, position, true);
  view.setUint32(rowsAt, blockTokens * shape.tokenBytes, true);
  head.set(fingerprint.subarray(0, fingerprintBytes), fingerprintAt);
  for (let word = 0; word < keyWords; word++) {
    view.setInt32(keyAt + 4 * word, keys[index * keyWords + word] as number, true);
  }
  for (let token = 0; token < blockTokens; token++) {
    view.setInt32(tokensAt + 4 * token, tokens[position + token] as number, true);
  }
}

const expected: Uint8Array = new Uint8Array(blockHeadBytes);

/** Why the bytes are not block `index` of this sequence; undefined when they are. */
export function refusalOf(
  bytes: Uint8Array,
  identity: BlockIdentity,
  index: number,
): Refusal | undefined {
  const { shape } = identity;
  if (bytes.length < blockHeadBytes) return 'truncated';
  expected.fill(0);
  writeIdentity(expected, identity, index);
  if (!areEqual(bytes, expected, 0, crcAt)) return 'foreign';
  if (!areEqual(bytes, expected, fingerprintAt, fingerprintBytes)) return 'fingerprint';
  if (bytes.length !== blockBytes(shape)) return 'truncated';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getInt32(crcAt, true) !== crc32(bytes.subarray(positionAt))) return 'checksum';
  const isOurs = areEqual(bytes, expected, positionAt, blockHeadBytes - positionAt);
  return isOurs ? undefined : 'foreign';
}

function areEqual(a: Uint8Array, b: Uint8Array, from: number, count: number): boolean {
  for (let at = from; at < from + count; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** The pieces of a state's rows that belong to block `index`, in their order. */
export function rowsOf(
  state: Uint8Array,
  offsets: readonly number[],
  shape: RowShape,
  index: number,
): Uint8Array[] {
  return offsets.map((offset, array) => {
    const bytes = (shape.rowBytes[array] as number) * blockTokens;
    return state.subarray(offset + index * bytes, offset + (index + 1) * bytes);
  });
}

/** Copies a block's rows to where they belong in a state. */
export function joinRows(
  block: Uint8Array,
  state: Uint8Array,
  offsets: readonly number[],
  shape: RowShape,
  index: number,
): void {
  let at = blockHeadBytes;
  for (let array = 0; array < offsets.length; array++) {
    const bytes = (shape.rowBytes[array] as number) * blockTokens;
    const to = (offsets[array] as number) + index * bytes;
    state.set(block.subarray(at, at + bytes), to);
    at += bytes;
  }
}
