/** What is made of the cells of an owner who died while it freed. */

import { describe, expect, test } from 'vitest';
import {
  allocationsWord,
  beginAllocation,
  beginFree,
  beginFrees,
  countOne,
  endFrees,
  freesWord,
  settleCounters,
} from '../../src/alloc/counters.ts';

const firstRef = 4096;
const blocks = 0b1101;

/** Counters of an owner that has freed some one by one. */
function countersAfter(frees: number): Int32Array {
  const counters = new Int32Array(32);
  for (let i = 0; i < frees; i++) {
    beginFree(counters, 64 * (i + 1));
    countOne(counters, freesWord);
  }
  return counters;
}

/** @param isLive whether those that it was freeing together are live */
function settle(counters: Int32Array, isLive: boolean): number {
  settleCounters(
    counters,
    (ref) => ref >= firstRef && isLive,
    () => true,
  );
  return counters[freesWord] as number;
}

describe.each([0, 1, 2, 3])('after %i frees', (before) => {
  test('those that were freed together and not counted are counted once, however often', () => {
    const counters = countersAfter(before);
    beginFrees(counters, firstRef, blocks);
    expect(settle(counters, false)).toBe(before + 3);
    expect(settle(counters, false)).toBe(before + 3);
  });

  test('those that were counted already are not', () => {
    const counters = countersAfter(before);
    beginFrees(counters, firstRef, blocks);
    endFrees(counters, 3);
    expect(settle(counters, false)).toBe(before + 3);
  });

  test('those that were not freed are not, nor when another has freed them since', () => {
    const counters = countersAfter(before);
    beginFrees(counters, firstRef, blocks);
    expect(settle(counters, true)).toBe(before);
    expect(settle(counters, false)).toBe(before);
  });
});

test.each(['a free', 'an allocation'])('%s that was not made is forgotten', (what) => {
  const counters = new Int32Array(32);
  (what === 'a free' ? beginFree : beginAllocation)(counters, firstRef);
  const settleWhen = (isLive: boolean): void =>
    settleCounters(
      counters,
      () => isLive,
      () => true,
    );
  settleWhen(what === 'a free');
  settleWhen(what !== 'a free');
  expect([counters[allocationsWord], counters[freesWord]]).toEqual([0, 0]);
});

test('the count goes on beyond 32 bits', () => {
  const counters = new Int32Array(32);
  counters[freesWord] = -2;
  beginFrees(counters, firstRef, blocks);
  endFrees(counters, 3);
  expect([counters[freesWord], counters[freesWord + 1]]).toEqual([1, 1]);
});
