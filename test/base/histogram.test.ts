import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/base/histogram.ts';
import { seed } from '../support/seed.ts';
import { fc } from '../support/properties.ts';

describe('Histogram', () => {
  it('is exact below 64', () => {
    const histogram = new Histogram();
    for (let value = 0; value < 64; value += 1) histogram.record(value);
    expect(histogram.quantile(0.5)).toBe(31);
    expect(histogram.quantile(1)).toBe(63);
    expect(histogram.quantile(0)).toBe(0);
  });

  it('gives every quantile within 1/64 of the exact order statistic', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 0x7fffffff }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const histogram = new Histogram();
          for (const value of values) histogram.record(value);
          const sorted = Float64Array.from(values).sort();
          const exact = sorted[Math.max(1, Math.ceil(q * values.length)) - 1] as number;
          expect(Math.abs(histogram.quantile(q) - exact)).toBeLessThanOrEqual(exact / 64);
        },
      ),
      { seed: seed() },
    );
  });

  it('clamps what is below 0 or above 31 bits', () => {
    const histogram = new Histogram();
    histogram.record(-5);
    histogram.record(2 ** 40);
    histogram.record(Number.POSITIVE_INFINITY);
    expect(histogram.count).toBe(3);
    expect(histogram.max).toBe(0x7fffffff);
    expect(histogram.quantile(0)).toBe(0);
  });

  it('is empty at first and after clear', () => {
    const histogram = new Histogram();
    expect(histogram.quantile(0.99)).toBe(0);
    histogram.record(1000);
    histogram.clear();
    expect(histogram.count).toBe(0);
    expect(histogram.max).toBe(0);
    expect(histogram.quantile(0.5)).toBe(0);
  });

  it('refuses quantiles outside 0…1', () => {
    expect(() => new Histogram().quantile(1.01)).toThrow(RangeError);
    expect(() => new Histogram().quantile(Number.NaN)).toThrow(RangeError);
  });
});
