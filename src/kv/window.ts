/** Attention that looks back a bounded number of tokens: blocks that have left the window are let go, and stay cached until their place is needed. */

import { noPlace } from '../evict/api.ts';
import { field } from './sequences.ts';
import type { State } from './state.ts';

/** Full blocks before a token at the start of a block that it looks back into. */
export function windowBlocks({ windowTokens, blockTokens }: State): number {
  return Math.ceil((windowTokens - 1) / blockTokens);
}

/** Lets go of the blocks that the next token of a sequence does not look back into; `noPlace` stands in the table for each. */
export function slide(state: State, slot: number): void {
  const { blocks, sequences, windowTokens, blockTokens } = state;
  if (windowTokens === 0) return;
  const first = sequences.get(slot, field.length) - windowTokens + 1;
  // Not those that others are still to find: what is published later has its content then, too.
  const published = sequences.get(slot, field.published);
  const end = Math.min(Math.floor(first / blockTokens), state.caching ? published : 0x7fffffff);
  const table = sequences.table(slot, 0);
  let from = sequences.get(slot, field.windowFrom);
  for (; from < end; from++) {
    const place = table[from] as number;
    table[from] = noPlace;
    if (place !== noPlace) blocks.release(place);
  }
  if (from > sequences.get(slot, field.windowFrom)) sequences.set(slot, field.windowFrom, from);
}
