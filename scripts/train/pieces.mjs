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
  return Array.from(counts, ([word, times]) => ({ pieces: [...word], count: times }));
}

/** @param {[string, number]} a @param {[string, number]} b negative: a is more frequent; of equals the first by code units */
function byFrequency([a, x], [b, y]) {
  return y - x || (a < b ? -1 : 1);
}

/** The left and the right of a pair stand in a key with this between them. */
const between = '\0';

/** @param {Word} word */
function pairsOf({ pieces }) {
  return pieces.slice(1).map((right, index) => pieces[index] + between + right);
}

/** @param {Map<string, number>} counts @param {readonly string[]} keys @param {number} by */
function count(counts, keys, by) {
  for (const key of keys) {
    const sum = (counts.get(key) ?? 0) + by;
    if (sum === 0) counts.delete(key);
    else counts.set(key, sum);
  }
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
  /** @type {Map<string, number>} */
  const characters = new Map();
  for (const word of words) count(characters, word.pieces, word.count);
  const pieces = new Set(
    [...characters]
      .filter(([, times]) => times >= characterMin)
      .sort(byFrequency)
      .map(([character]) => character),
  );
  // What is spelled in bytes is part of no piece.
  const known = words.filter((word) => word.pieces.every((character) => pieces.has(character)));
  /** @type {Map<string, number>} */
  const pairs = new Map();
  for (const word of known) count(pairs, pairsOf(word), word.count);
  while (pieces.size < size) {
    const entries = [...pairs];
    const first = entries.reduce((best, pair) => (byFrequency(pair, best) < 0 ? pair : best));
    const [left = '', right = ''] = first[0].split(between);
    pieces.add(left + right);
    for (const word of known) {
      if (!word.pieces.includes(left) || !pairsOf(word).includes(first[0])) continue;
      count(pairs, pairsOf(word), -word.count);
      join(word, left, right);
      count(pairs, pairsOf(word), word.count);
    }
  }
  return [...pieces];
}
