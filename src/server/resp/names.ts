/**
 * Keys and fields of RESP are any bytes; ids and part names are well-formed text. This maps one to the other and back, one to one:
 *
 * ```
 * bytes that are UTF-8          the text as it is
 * any other bytes               SUB, then one character U+0000…U+00FF for each byte
 * UTF-8 that looks like that    likewise: it is escaped once more
 * ```
 * So every key is an id, every id is a key, and text is the same here and over HTTP. Names have 1–512 bytes as UTF-8: a key that is not
 * UTF-8 takes a byte for SUB and two for each byte above 0x7f, so that any key of up to 255 bytes fits.
 */

import { isUtf8 } from 'node:buffer';

import { decodeUtf8 } from '../../base/utf8.ts';

/** The control character that stands for what cannot be shown. */
const substitute = '\x1a';

/** Longest run of bytes that is looked at one by one: longer ones are quicker natively. */
const shortBytes = 64;

/** The id or part name of a key or field: bytes [from, to) of `buffer`. */
export function nameOf(buffer: Buffer, from: number, to: number): string {
  if (to - from <= shortBytes) {
    let above = 0;
    for (let i = from; i < to; i++) above |= buffer[i] as number;
    if (above < 0x80 && buffer[from] !== 0x1a) return buffer.toString('latin1', from, to);
  }
  return nameOfAny(buffer.subarray(from, to));
}

function nameOfAny(bytes: Buffer): string {
  if (isUtf8(bytes)) {
    const text = decodeUtf8(bytes);
    if (escapedBytes(text) === undefined) return text;
  }
  return substitute + bytes.toString('latin1');
}

/** The key or field of an id or part name. */
export function keyOf(name: string): Buffer {
  return escapedBytes(name) ?? Buffer.from(name);
}

/** The bytes that `text` escapes; undefined where it is what it says. */
function escapedBytes(text: string): Buffer | undefined {
  if (!text.startsWith(substitute)) return undefined;
  for (let i = 1; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return undefined;
  const bytes = Buffer.from(text.slice(1), 'latin1');
  // Only what had to be escaped is taken for an escape: all else that begins with SUB stands for itself.
  const hadTo = !isUtf8(bytes) || escapedBytes(decodeUtf8(bytes)) !== undefined;
  return hadTo ? bytes : undefined;
}
