/**
 * The bytes of a part as blocks: each put makes the first, each append one more. All words of a block follow from its number, so that a
 * reader sees which writes the bytes are of, and whether any of them is torn.
 *
 * ```
 * block: word 0   1            2 …
 *        ┌───────┬────────────┬──────────────────────────┐
 *        │ number│ words: n   │ number · 40503 + place   │
 *        └───────┴────────────┴──────────────────────────┘
 * ```
 */

/** A reader's name for bytes that no write has made. */
export const torn = -1;

/** @param {number} number @param {number} place */
function wordFor(number, place) {
  return (Math.imul(number, 40503) + place) >>> 0;
}

/** @param {number} number @param {number} words at least 2 */
export function makeBlock(number, words) {
  const block = new Uint32Array(words);
  block[0] = number;
  block[1] = words;
  for (let place = 2; place < words; place++) block[place] = wordFor(number, place);
  return block;
}

/** Numbers of the blocks; `torn` where one is not whole. @param {Uint32Array} words */
export function readBlocks(words) {
  const numbers = [];
  for (let at = 0; at < words.length;) {
    const [number = 0, length = 0] = words.subarray(at, at + 2);
    if (length < 2 || at + length > words.length) return [...numbers, torn];
    for (let place = 2; place < length; place++) {
      if (words[at + place] !== wordFor(number, place)) return [...numbers, torn];
    }
    numbers.push(number);
    at += length;
  }
  return numbers;
}
