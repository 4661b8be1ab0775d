/**
 * Keys of the disk tier, in byte order: the parts of a context stand together.
 *
 * ```
 * part    │ idLen 16, big endian │ id │ part            → its record
 * tag     │ tagLen 16            │ tag │ key of a part  → nothing
 * chunk   │ stow id, 8 bytes     │ number 32            → bytes
 * version │ length 16            │ key of a part │ version 64, big endian → its record
 * ```
 */

import { decodeUtf8 } from '../base/utf8.ts';

export const stowIdBytes = 8;

/** Names as text, or as the UTF-8 that they are. */
export function partKey(id: string | Uint8Array, part: string | Uint8Array): Buffer {
  return Buffer.concat([contextPrefix(id), Buffer.from(part)]);
}

/** What the keys of a context's parts begin with. */
export function contextPrefix(id: string | Uint8Array): Buffer {
  return withLength(Buffer.from(id));
}

export function namesOfKey(key: Uint8Array): { readonly id: string; readonly part: string } {
  const end = 2 + (((key[0] as number) << 8) | (key[1] as number));
  return { id: decodeUtf8(key.subarray(2, end)), part: decodeUtf8(key.subarray(end)) };
}

/** Key of an earlier version of a part: those of a part stand together, the oldest first. */
export function versionKey(key: Uint8Array, version: number): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(version));
  return Buffer.concat([versionPrefix(key), number]);
}

export function versionPrefix(key: Uint8Array): Buffer {
  return withLength(Buffer.from(key));
}

export function tagKey(tag: string, key: Uint8Array): Buffer {
  return Buffer.concat([tagPrefix(tag), key]);
}

export function tagPrefix(tag: string): Buffer {
  return withLength(Buffer.from(tag));
}

export function chunkKey(stowId: Uint8Array, number: number): Buffer {
  const key = Buffer.alloc(stowIdBytes + 4);
  key.set(stowId);
  key.writeUInt32BE(number, stowIdBytes);
  return key;
}

/** The first key that does not begin with `prefix`. */
export function prefixEnd(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] as number;
    if (byte === 0xff) continue;
    end[i] = byte + 1;
    return end.subarray(0, i + 1);
  }
  return Buffer.alloc(end.length + 1, 0xff);
}

function withLength(text: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, text]);
}

/** A key as the key of a Map. */
export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
