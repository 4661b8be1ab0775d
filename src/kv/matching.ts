/** Which blocks of a request are there already. Full ones only; the last token is always computed anew, for its logits. */

import { keyWords, noPlace } from '../evict/api.ts';
import { windowBlocks } from './window.ts';
import type { State } from './state.ts';

/** Blocks of a request of so many tokens that may be found. */
export function matchable(state: State, tokens: number): number {
  return Math.floor((tokens - 1) / state.blockTokens);
}

/**
 * Looks up the first `limit` keys of `state.keys` and writes the places into `table`.
 * @returns how many blocks need not be computed. With a window those before it are `noPlace` in the table.
 */
export function match(state: State, limit: number, table: Int32Array): number {
  return state.windowTokens === 0
    ? matchPrefix(state, limit, table)
    : matchWindow(state, limit, table);
}

function matchPrefix({ blocks, keys }: State, limit: number, table: Int32Array): number {
  for (let depth = 0; depth < limit; depth++) {
    const place = blocks.find(keys, depth * keyWords);
    if (place === noPlace) return depth;
    table[depth] = place;
  }
  return limit;
}

/** The longest prefix whose last blocks, as many as the next token looks back into, are all there. */
function matchWindow(state: State, limit: number, table: Int32Array): number {
  const { blocks, keys } = state;
  const wanted = windowBlocks(state);
  let run = 0;
  for (let depth = limit - 1; depth >= 0; depth--) {
    const place = blocks.find(keys, depth * keyWords);
    table[depth] = place;
    run = place === noPlace ? 0 : run + 1;
    if (run === wanted) {
      table.fill(noPlace, 0, depth);
      return depth + run;
    }
  }
  // Fewer than wanted serve where they are the first of the sequence.
  return run;
}
