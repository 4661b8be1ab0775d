/**
 * Rows that cost less with others beside them. Where there is AVX-512 ggml multiplies a matrix of floats with tiles of at most six rows, as even as they can be
 * (tinyBLAS, `llamafile/sgemm.cpp`): 8 rows are 4 + 4, 9 are 5 + 4, 16 are 6 + 5 + 5. Weights come to the cache with the first tile; where the next one is as large,
 * the same instructions read them again, and what fetches ahead, by instruction, loses its way. So it is measured: 6×512 in float32 takes for
 * ```
 * rows  7    8     9    10    11   12    13    14    15    16    17    18
 * ms    7.5  11.1  8.2  12.4  9.2  13.9  10.7  15.2  15.9  12.2  16.3  17.7      (AMD EPYC, Zen 5, one thread)
 * ```
 * and float16 the like; a model of 2 MB, which stays in the cache, takes longer with every row. Eight answers at once in a context of ten places: 82 ms each
 * with a ninth row, 109 without (16 + 64 tokens).
 */

import type { Extra, Sequences } from './layout.ts';

const tileRows = 6;
/** Rows that are added at most. */
const addedMost = 2;
/** Weights of a model that no core has in its cache. */
export const parametersMin = 4_000_000;

/** Whether one tile is larger than the others, or there is one. */
function isQuick(rows: number): boolean {
  const tiles = Math.ceil(rows / tileRows);
  return tiles === 1 || rows === tiles * (Math.ceil(rows / tiles) - 1) + 1;
}

/** How many rows are to be computed for so many: a few more, where these take less time. */
export function quickRows(rows: number): number {
  for (let added = 0; added <= addedMost; added++) if (isQuick(rows + added)) return rows + added;
  return rows;
}

/**
 * Adds the next places of sequences behind a batch and before it, where all of it is one run and there are enough.
 *
 * @param sequences of the rows asked for, ascending, one row each
 * @param extras beside them
 * @param count of the rows asked for
 * @param places of the context
 */
export function widened(
  sequences: Int32Array,
  extras: readonly Extra[],
  count: number,
  { length, contextTokens, places }: Sequences & { readonly places: number },
): readonly Extra[] {
  const [first, last] = [sequences[0] as number, sequences[count - 1] as number];
  const rows = count + extras.length;
  if (rows !== last - first + 1) return extras;
  let missing = quickRows(rows) - rows;
  const isFree = (sequence: number): boolean => length(sequence) < contextTokens;
  const wide = [...extras];
  for (let next = last + 1; missing > 0 && next < places && isFree(next); next++, missing--) {
    wide.push({ after: count - 1, sequence: next, position: length(next) });
  }
  for (let next = first - 1; missing > 0 && next >= 0 && isFree(next); next--, missing--) {
    wide.unshift({ after: -1, sequence: next, position: length(next) });
  }
  return missing === 0 ? wide : extras;
}
