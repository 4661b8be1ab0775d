/**
 * A context of several sequences keeps each in a *stream* of its own, and says so in the state of a sequence: streams that are not its own are there as
 * "no cells".
 * ```
 * u32 magic │ u32 sequence │ u32 streams │ u32 0 for each stream before │ u32 cells │ cells, rows … │ u32 0 for each stream behind
 * ```
 * With one stream it is `magic │ sequence │ 1 │ cells │ …`: the same bytes from `cells` on. So the one is made of the other where it lies, by writing three
 * words in front of `cells`.
 */

const wordBytes = 4;
const headWords = 3;

function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes of a state in a context of so many streams, of that which has one. */
export function streamsBytes(oneBytes: number, streams: number): number {
  return oneBytes + wordBytes * (streams - 1);
}

/** The place of a state with one stream in that of several, whose last stream it is to be. */
export function lastStream(state: Uint8Array, streams: number): Uint8Array {
  return state.subarray(wordBytes * (streams - 1));
}

/** Makes a state of several streams of what was written to `lastStream`. */
export function wrapStreams(state: Uint8Array, streams: number): void {
  const words = wordsOf(state);
  const magic = words.getUint32(wordBytes * (streams - 1), true);
  words.setUint32(0, magic, true);
  words.setUint32(wordBytes, 0, true);
  words.setUint32(2 * wordBytes, streams, true);
  for (let stream = 0; stream < streams - 1; stream++) {
    words.setUint32(wordBytes * (headWords + stream), 0, true);
  }
}

/** @returns the state of the only stream that has cells, over the same bytes; undefined when there is none or more than one */
export function unwrapStreams(state: Uint8Array, streams: number): Uint8Array | undefined {
  if (state.length < wordBytes * (headWords + streams)) return undefined;
  const words = wordsOf(state);
  if (words.getUint32(2 * wordBytes, true) !== streams) return undefined;
  let own = 0;
  while (own < streams && words.getUint32(wordBytes * (headWords + own), true) === 0) own += 1;
  const behind = streams - 1 - own;
  if (behind < 0) return undefined;
  const end = state.length - wordBytes * behind;
  for (let at = end; at < state.length; at += wordBytes) {
    if (words.getUint32(at, true) !== 0) return undefined;
  }
  const [magic, sequence] = [words.getUint32(0, true), words.getUint32(wordBytes, true)];
  const one = state.subarray(wordBytes * own, end);
  [magic, sequence, 1].forEach((word, index) => {
    wordsOf(one).setUint32(wordBytes * index, word, true);
  });
  return one;
}
