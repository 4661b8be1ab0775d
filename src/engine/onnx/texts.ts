/** Tensors of BYTES: each element is its length in four bytes, low ones first, and then as many bytes. */

import { fail } from '../../errors.ts';

const lengthBytes = 4;

export function bytesOfTexts(texts: readonly Uint8Array[]): Uint8Array {
  const sizeBytes = texts.reduce((sum, { length }) => sum + lengthBytes + length, 0);
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const text of texts) {
    view.setUint32(at, text.length, true);
    bytes.set(text, at + lengthBytes);
    at += lengthBytes + text.length;
  }
  return bytes;
}

/** Views on `bytes`. @throws invalid_argument where a length leads beyond the end */
export function textsOf(bytes: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const from = at + lengthBytes;
    const length = from <= bytes.length ? view.getUint32(at, true) : 0;
    if (from + length > bytes.length)
      fail(
        'invalid_argument',
        `Element ${texts.length} of BYTES leads beyond the end of its tensor.`,
      );
    texts.push(bytes.subarray(from, from + length));
    at = from + length;
  }
  return texts;
}
