/**
 * What a superblock may have said that can no longer be believed: for repair, which tries what it says and looks whether it makes sense.
 */

import { atFirst } from './first-superblock.ts';
import { ownersMaxLimit, superblockAByte, superblockBByte } from './layout.ts';
import { decodeSuperblock, superblockFault, superblockWords } from './superblock-codec.ts';
import type { Superblock } from './superblock.ts';
import { load } from './words.ts';
import type { Words } from './words.ts';

/** What repair does not need is set to what is always possible: damage to it does not matter. */
const unneeded = { ...atFirst, clean: false } as const;

function guessFrom(words: Words, firstWord: number): Superblock | undefined {
  const image = new Int32Array(superblockWords);
  for (let i = 0; i < superblockWords; i += 1) image[i] = load(words, firstWord + i);
  const block = { ...decodeSuperblock(image), ...unneeded };
  const ownersMax =
    block.ownersMax >= 1 && block.ownersMax <= ownersMaxLimit ? block.ownersMax : ownersMaxLimit;
  const createdAtMs =
    block.createdAtMs >= 0 && block.createdAtMs <= Number.MAX_SAFE_INTEGER ? block.createdAtMs : 0;
  const guess = { ...block, ownersMax, createdAtMs };
  return superblockFault(guess) === undefined ? guess : undefined;
}

/** What copies A and B say of geometry and identity, as far as that is possible; whether they are sound is not asked. */
export function superblockGuesses(words: Words): Superblock[] {
  return [superblockAByte, superblockBByte]
    .map((byte) => guessFrom(words, byte >> 2))
    .filter((guess) => guess !== undefined);
}
