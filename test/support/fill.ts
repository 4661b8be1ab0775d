/** Bytes of shared memory that are one value over and over: V8 fills it byte by byte, and copies eight at a time. */

const piece = new Uint8Array(2 ** 16);

/** Fills bytes [from, to). @returns the same bytes */
export function fillShared(
  bytes: Uint8Array,
  value: number,
  from = 0,
  to: number = bytes.length,
): Uint8Array {
  piece.fill(value, 0, Math.max(0, to - from));
  for (let at = from; at < to; at += piece.length)
    bytes.set(piece.subarray(0, Math.min(piece.length, to - at)), at);
  return bytes;
}
