import { describe, expect, it } from 'vitest';
import {
  agree,
  median,
  quantile,
  ratioByRounds,
  ratioOfMedians,
  scatter,
} from '../../bench/harness/stats.ts';

describe('median and quantile', () => {
  it('take the middle, or the mean of the middle two', () => {
    expect(median([3])).toBe(3);
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('sort by value and leave their argument alone', () => {
    const values = [10, 9, 100, 1];
    expect(median(values)).toBe(9.5);
    expect(values).toEqual([10, 9, 100, 1]);
  });

  it('interpolate between order statistics', () => {
    expect(quantile([10, 20, 30, 40, 50], 0)).toBe(10);
    expect(quantile([10, 20, 30, 40, 50], 1)).toBe(50);
    expect(quantile([10, 20, 30, 40, 50], 0.25)).toBe(20);
    expect(quantile([10, 20], 0.75)).toBe(17.5);
  });

  it('refuse what has no answer', () => {
    expect(() => median([])).toThrow(RangeError);
    expect(() => quantile([1], 1.1)).toThrow(RangeError);
    expect(() => quantile([1], Number.NaN)).toThrow(RangeError);
  });
});

describe('agree', () => {
  it('measures the difference against the larger value', () => {
    expect(agree(100, 97, 0.03)).toBe(true);
    expect(agree(97, 100, 0.03)).toBe(true);
    expect(agree(100, 96.9, 0.03)).toBe(false);
    expect(agree(0, 0, 0.03)).toBe(true);
  });
});

describe('scatter', () => {
  it('is half the distance of the quartiles over the median', () => {
    expect(scatter([90, 100, 110])).toBeCloseTo(0.05);
    expect(scatter([5, 5, 5])).toBe(0);
  });

  it('does not see one outlier', () => {
    expect(scatter([100, 100, 100, 100, 9000])).toBe(0);
  });
});

describe('ratioOfMedians', () => {
  it('says how many times longer the first takes', () => {
    expect(ratioOfMedians([30, 10, 20], [10, 5, 900])).toBe(2);
  });
});

describe('ratioByRounds', () => {
  it('is not moved by a machine that is slow for other rounds of one than of the other', () => {
    const ours = [20, 20, 20, 30, 30];
    const theirs = [10, 10, 10, 15, 10];
    expect(ratioByRounds(ours, theirs)).toBe(2);
    expect(ratioByRounds([30, 20, 30, 20, 30], [15, 10, 10, 10, 15])).toBe(2);
  });

  it('takes rounds in pairs', () => {
    expect(() => ratioByRounds([1, 2], [1])).toThrow('2 rounds against 1');
  });
});
