/** Images and other media in a prompt: their placeholders are equal tokens, so what they stand for goes into the keys of the blocks they touch. */

import { fail } from '../errors.ts';
import { absorb } from './chain.ts';
import { digestWords } from './scope.ts';

export interface Media {
  /** Names the content, for example its SHA-256. */
  readonly id: string;
  /** Its first token in the prompt. */
  readonly offset: number;
  /** Its tokens. */
  readonly length: number;
}

const digestLength = 4;

/** @throws invalid_argument */
export function checkMedia(media: readonly Media[], tokens: number): void {
  for (const { id, offset, length } of media) {
    const fits = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length > 0;
    if (!fits || offset + length > tokens) {
      fail(
        'invalid_argument',
        `media ${id.slice(0, 40)} lies at ${offset}, ${length} long: not within ${tokens} tokens`,
      );
    }
  }
}

/**
 * Absorbs what touches the block of tokens [from, to): where each begins, relative to the block, and a digest of its id.
 * @returns the words absorbed
 */
export function absorbMedia(
  state: Int32Array,
  at: number,
  media: readonly Media[],
  from: number,
  to: number,
): number {
  let words = 0;
  for (const { id, offset, length } of media) {
    if (offset >= to || offset + length <= from) continue;
    absorb(state, at, offset - from);
    for (const word of digestWords(id, digestLength)) absorb(state, at, word);
    words += 1 + digestLength;
  }
  return words;
}
