/**
 * Which rows go beside those that are asked for, so that what a row comes to depends on its own sequence alone.
 *
 * ggml multiplies a matrix of floats with one row by other instructions than with several, and adds up in another order; from two rows on each is added up by
 * itself. Several threads share out the cells of a row alone, and of several rows the rows. And llama.cpp computes sequences together only where their numbers
 * follow each other. So, with such weights or threads,
 * ```
 * asked for   0 · 1 · · 4 · · · · · · 11          rows of a prompt, one of logits
 * computed    0 f 1 f f 4 │ 11 c                  0 … n-1, n with logits: n-1 too
 *             └ together ┘ └ together             f: a filler, the next place of a sequence that is not in the batch; c: a companion, the next place of its own
 * ```
 * Fillers and companions are taken back after the batch.
 */

/** Places in a context that a batch may not have. */
export interface Sequences {
  /** Tokens of a sequence. */
  readonly length: (sequence: number) => number;
  /** Most tokens of a sequence. */
  readonly contextTokens: number;
}

/** A row that nobody asked for. */
export interface Extra {
  /** The row behind which it goes; −1: before all. */
  readonly after: number;
  readonly sequence: number;
  readonly position: number;
}

/**
 * Sequences that are missing between two are filled in up to so many: a row more costs a sixth of what another pass over the weights does (6×512, float32: 2
 * rows 5.8 ms, 8 rows 11.4, 16 rows 13.4).
 */
export const gapMost = 4;

/**
 * @param sequences of the rows asked for, ascending, one row each
 * @param positions of these rows
 */
export function extrasOf(
  sequences: Int32Array,
  positions: Int32Array,
  count: number,
  { length, contextTokens }: Sequences,
): Extra[] {
  const extras: Extra[] = [];
  /** Rows of the run, extra ones too. */
  let run = 1;
  for (let row = 0; row < count; row++) {
    const sequence = sequences[row] as number;
    const gap = row + 1 < count ? (sequences[row + 1] as number) - sequence - 1 : Infinity;
    const fillers = gap > gapMost ? [] : fillersAfter(row, sequence, gap, length);
    if (gap <= gapMost && fillers.every(({ position }) => position < contextTokens)) {
      extras.push(...fillers);
      run += gap + 1;
      continue;
    }
    const position = (positions[row] as number) + 1;
    if (run === 1 && position < contextTokens) extras.push({ after: row, sequence, position });
    run = 1;
  }
  return extras;
}

function fillersAfter(
  row: number,
  sequence: number,
  gap: number,
  length: (sequence: number) => number,
): Extra[] {
  return Array.from({ length: gap }, (_, index) => {
    const missing = sequence + 1 + index;
    return { after: row, sequence: missing, position: length(missing) };
  });
}
