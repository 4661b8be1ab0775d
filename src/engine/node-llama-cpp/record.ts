/**
 * A state as it lies in a pool: one part, so that it is replaced as a whole. What says what it is comes last, when it is known.
 *
 * ```
 * ┌──────────────────────────────┬──────────────────────┬──────────┬─────────────────────────────────────────────────────────────┐
 * │ the file that llama.cpp made │ tokens, an i32 each  │ identity │ footer, 32 bytes:                                           │
 * │                              │                      │ (JSON)   │ magic CNLS │ version │ identity bytes │ tokens │             │
 * │                              │                      │          │ file bytes (u64) │ 0 │ crc32 of all before                  │
 * └──────────────────────────────┴──────────────────────┴──────────┴─────────────────────────────────────────────────────────────┘
 * ```
 */

import { crc32 } from '../../base/checksum.ts';
import type { StateIdentity } from './sequence.ts';

const magic = 0x534c_4e43;
const version = 1;
const footerBytes = 32;
const crcAt = 28;
const tokenBytes = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface StateRecord {
  readonly identity: StateIdentity;
  readonly tokens: Int32Array;
  /** Inside of the part. */
  readonly file: Uint8Array;
}

/** What follows the file. @param fileCrc of its bytes */
export function tailOf(
  identity: StateIdentity,
  tokens: readonly number[],
  fileBytes: number,
  fileCrc: number,
): Uint8Array {
  const text = encoder.encode(JSON.stringify(identity));
  const footerAt = tokens.length * tokenBytes + text.length;
  const tail = new Uint8Array(footerAt + footerBytes);
  const view = new DataView(tail.buffer);
  tokens.forEach((token, index) => view.setInt32(index * tokenBytes, token, true));
  tail.set(text, tokens.length * tokenBytes);
  view.setUint32(footerAt, magic, true);
  view.setUint32(footerAt + 4, version, true);
  view.setUint32(footerAt + 8, text.length, true);
  view.setUint32(footerAt + 12, tokens.length, true);
  view.setBigUint64(footerAt + 16, BigInt(fileBytes), true);
  const crc = crc32(tail.subarray(0, footerAt + crcAt), fileCrc);
  view.setInt32(footerAt + crcAt, crc, true);
  return tail;
}

/** Takes a part apart; a text says what is wrong with it. */
export function recordOf(bytes: Uint8Array): StateRecord | string {
  const footerAt = bytes.length - footerBytes;
  if (footerAt < 0) return `it has ${bytes.length} bytes`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(footerAt, true) !== magic) return 'its end is not that of a state';
  const found = view.getUint32(footerAt + 4, true);
  if (found !== version) return `it is of version ${found}, not ${version}`;
  const textBytes = view.getUint32(footerAt + 8, true);
  const tokens = view.getUint32(footerAt + 12, true);
  const fileBytes = Number(view.getBigUint64(footerAt + 16, true));
  if (fileBytes + tokens * tokenBytes + textBytes !== footerAt) {
    return `its ${bytes.length} bytes are not as many as it says`;
  }
  if (crc32(bytes.subarray(0, footerAt + crcAt)) !== view.getInt32(footerAt + crcAt, true)) {
    return 'its checksum does not match';
  }
  const textAt = fileBytes + tokens * tokenBytes;
  const identity = identityIn(decoder.decode(bytes.subarray(textAt, footerAt)));
  if (identity === undefined) return 'what it says of itself cannot be read';
  return {
    identity,
    tokens: Int32Array.from({ length: tokens }, (_, index) =>
      view.getInt32(fileBytes + index * tokenBytes, true),
    ),
    file: bytes.subarray(0, fileBytes),
  };
}

function identityIn(text: string): StateIdentity | undefined {
  try {
    const said = JSON.parse(text) as Partial<StateIdentity> | null;
    return typeof said?.model === 'string' ? (said as StateIdentity) : undefined;
  } catch {
    return undefined;
  }
}
