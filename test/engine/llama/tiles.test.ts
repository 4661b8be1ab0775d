/** Rows that are added so that all take less time: places beside a run, nothing else. */

import { expect, it } from 'vitest';
import { extrasOf } from '../../../src/engine/llama/layout.ts';
import { quickRows, widened } from '../../../src/engine/llama/tiles.ts';

const contextTokens = 100;
const asked = 7;

/** Sequences in the order of the batch, in brackets those that nobody asked for. */
function rowsOf(
  sequences: readonly number[],
  places: number,
  full: readonly number[] = [],
): string {
  const length = (sequence: number): number => (full.includes(sequence) ? contextTokens : asked);
  const rows = Int32Array.from(sequences);
  const positions = rows.map(() => asked);
  const limits = { length, contextTokens, places };
  const extras = extrasOf(rows, positions, rows.length, limits);
  const wide = widened(rows, extras, rows.length, limits);
  return [-1, ...rows.keys()]
    .flatMap((row) => [
      ...(row < 0 ? [] : [`${sequences[row]}`]),
      ...wide.filter(({ after }) => after === row).map(({ sequence }) => `(${sequence})`),
    ])
    .join(' ');
}

const run = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

it('as many are quick as make one tile that is larger than the others', () => {
  expect(run(1, 16).map((rows) => quickRows(rows))).toEqual([
    1, 2, 3, 4, 5, 6, 7, 9, 9, 11, 11, 13, 13, 16, 16, 16,
  ]);
  expect([17, 18, 19, 21, 24, 26, 31].map((rows) => quickRows(rows))).toEqual([
    17, 18, 21, 21, 26, 26, 31,
  ]);
});

it('places behind a run are taken first, then those before it', () => {
  expect(rowsOf(run(0, 7), 16)).toBe('0 1 2 3 4 5 6 7 (8)');
  expect(rowsOf(run(3, 10), 11)).toBe('(2) 3 4 5 6 7 8 9 10');
  expect(rowsOf(run(1, 14), 16)).toBe('(0) 1 2 3 4 5 6 7 8 9 10 11 12 13 14 (15)');
  expect(rowsOf(run(2, 15), 16)).toBe('(0) (1) 2 3 4 5 6 7 8 9 10 11 12 13 14 15');
});

it('what fills a gap counts', () => {
  expect(rowsOf([0, 1, 2, 3, 4, 5, 7], 16)).toBe('0 1 2 3 4 5 (6) 7 (8)');
  expect(rowsOf([0, 1, 2, 3, 4, 5, 6, 8], 16)).toBe('0 1 2 3 4 5 6 (7) 8');
});

it('nothing is added where there are too few places, or they are full', () => {
  expect(rowsOf(run(0, 7), 8)).toBe('0 1 2 3 4 5 6 7');
  expect(rowsOf(run(0, 13), 15)).toBe('0 1 2 3 4 5 6 7 8 9 10 11 12 13');
  expect(rowsOf(run(0, 7), 16, [8])).toBe('0 1 2 3 4 5 6 7');
});

it('nothing is added to several runs, nor to a row with a companion', () => {
  expect(rowsOf([0, 1, 2, 3, 9, 10, 11, 12], 16)).toBe('0 1 2 3 9 10 11 12');
  expect(rowsOf([5], 16)).toBe('5 (5)');
});
