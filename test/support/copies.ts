/** Copies of all memory that are made over and over. */

/** What is compared, and copied, at once. */
const pieceBytes = 2 ** 16;

/** Makes `to` what `from` is, of equal length. Where little differs, looking takes a fraction of writing to shared memory. @returns whether anything differed */
export function bringUpToDate(to: ArrayBufferLike, from: ArrayBufferLike): boolean {
  let differs = false;
  for (let at = 0; at < from.byteLength; at += pieceBytes) {
    const length = Math.min(pieceBytes, from.byteLength - at);
    const source = Buffer.from(from, at, length);
    const target = Buffer.from(to, at, length);
    if (Buffer.compare(source, target) === 0) continue;
    target.set(source);
    differs = true;
  }
  return differs;
}
