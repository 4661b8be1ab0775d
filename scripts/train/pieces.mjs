/** Trains a vocabulary: characters, then joined pairs, the most frequent first (byte-pair encoding). The same pieces each time. */

/** A character that occurs less often is spelled in bytes. */
const characterMin = 40;

/** Pieces do not go over the boundaries of words: a space belongs to what follows it. */
const wordPattern = /▁?\p{L}+|▁?[^\p{L}▁]|▁/gu;

/**
 * A word, as the pieces it is made of by now.
 *
 * @typedef {{ pieces: string[], count: number }} Word
 */

/** @param {string[]} paragraphs @returns {Word[]} */
function countWords(paragraphs) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const paragraph of paragraphs) {
    for (const word of paragraph.replaceAll(' ', '▁').match(wordPattern) ?? []) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return Array.from(counts, ([word, count]) => ({ pieces: [...word], count }));
}

/** What is counted most often; of equals the first by code units. @param {Map<string, number>} counts */
function ranked(counts) {
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

/** @param {Word[]} words @param {(word: Word) => string[]} keysOf @returns {Map<string, number>} */
function countKeys(words, keysOf) {
  const counts = new Map();
  for (const word of words) {
    for (const key of keysOf(word)) counts.set(key, (counts.get(key) ?? 0) + word.count);
  }
  return counts;
}

/** @param {Word} word */
function pairsOf({ pieces }) {
  return pieces.slice(1).map((right, index) => `${pieces[index]}\0${right}`);
}

/** @param {Word} word @param {string} left @param {string} right */
function join(word, left, right) {
  for (let index = 0; index + 1 < word.pieces.length; index++) {
    if (word.pieces[index] === left && word.pieces[index + 1] === right) {
      word.pieces.splice(index, 2, left + right);
    }
  }
}

/**
 * @param {string[]} paragraphs
 * @param {number} size how many pieces
 * @returns {string[]} in the order in which they are to be joined
 */
export function trainPieces(paragraphs, size) {
  const words = countWords(paragraphs);
  const characters = ranked(countKeys(words, ({ pieces }) => pieces))
    .filter(([, count]) => count >= characterMin)
    .map(([character]) => character);
  const pieces = new Set(characters);
  // What is spelled in bytes is part of no piece.
  const known = words.filter((word) => word.pieces.every((character) => pieces.has(character)));
  while (pieces.size < size) {
    const best = ranked(countKeys(known, pairsOf))[0];
    if (best === undefined) throw new Error(`the text has only ${pieces.size} pieces`);
    const [left = '', right = ''] = best[0].split('\0');
    pieces.add(left + right);
    for (const word of known) join(word, left, right);
  }
  return [...pieces];
}
