/** Those who look after blocks notice each word that is not theirs. */

import { expect, test } from 'vitest';

/** What processes run that are not compiled is not known to the compiler. */
const { isRepeated } = (await import(new URL('fixtures/repeated.mjs', import.meta.url).href)) as {
  isRepeated: (words: Int32Array, from: number, to: number, word: number) => boolean;
};

test.each([0, 7, -5, 2 ** 31 - 1, -(2 ** 31), 2 ** 31 + 3])('word %i', (word) => {
  const words = new Int32Array(new SharedArrayBuffer(4 * 40)).fill(word, 3, 37);
  expect(isRepeated(words, 3, 37, word)).toBe(true);
  for (let at = 3; at < 37; at++) {
    const kept = words[at] as number;
    words[at] = kept ^ 0x100;
    expect(isRepeated(words, 3, 37, word), String(at)).toBe(false);
    words[at] = kept;
  }
  words.fill(word ^ 1, 3, 37);
  expect(isRepeated(words, 3, 37, word)).toBe(false);
  expect(isRepeated(words, 5, 5, word)).toBe(true);
});
