/** Rows beside those that are asked for: runs of sequences that follow each other, none of them of one row. */

import { describe, expect, it } from 'vitest';
import { extrasOf, gapMost } from '../../../src/engine/llama/layout.ts';

const contextTokens = 100;

/** "sequence@position" in the order of the batch; in brackets what nobody asked for. */
function laidOut(asked: readonly number[], lengths: Readonly<Record<number, number>> = {}): string {
  const length = (sequence: number): number => lengths[sequence] ?? 0;
  const positions = Int32Array.from(asked, (sequence) => lengths[sequence] ?? 7);
  const extras = extrasOf(Int32Array.from(asked), positions, asked.length, {
    length,
    contextTokens,
  });
  return asked
    .flatMap((sequence, row) => [
      `${sequence}@${positions[row]}`,
      ...extras
        .filter(({ after }) => after === row)
        .map((extra) => `(${extra.sequence}@${extra.position})`),
    ])
    .join(' ');
}

describe('rows of answers', () => {
  it('that follow each other stay as they are', () => {
    expect(laidOut([2, 3, 4])).toBe('2@7 3@7 4@7');
  });

  it('alone have a companion', () => {
    expect(laidOut([5])).toBe('5@7 (5@8)');
  });

  it('with a short gap between have it filled in behind what is there', () => {
    expect(laidOut([0, 2, 5], { 0: 9, 2: 9, 5: 9, 4: 33 })).toBe('0@9 (1@0) 2@9 (3@0) (4@33) 5@9');
  });

  it('with the longest gap that is filled in are one run', () => {
    expect(laidOut([0, gapMost + 1])).toBe('0@7 (1@0) (2@0) (3@0) (4@0) 5@7');
  });

  it('far from each other have a companion each', () => {
    expect(laidOut([0, gapMost + 2])).toBe('0@7 (0@8) 6@7 (6@8)');
    expect(laidOut([0, 1, 9])).toBe('0@7 1@7 9@7 (9@8)');
  });

  it('are two runs where a sequence between them is full', () => {
    expect(laidOut([0, 2], { 0: 7, 2: 7, 1: contextTokens })).toBe('0@7 (0@8) 2@7 (2@8)');
  });

  it('in the last place of a context have none: nothing is asked after it', () => {
    expect(laidOut([0], { 0: contextTokens - 1 })).toBe('0@99');
    expect(laidOut([0], { 0: contextTokens - 2 })).toBe('0@98 (0@99)');
  });
});
