/** Values in few buckets. */

import { expect, it } from 'vitest';
import { Buckets, sumSpreads } from '../../src/base/buckets.ts';

it('count a value in the first bucket that it fits', () => {
  const buckets = new Buckets([1, 5, 10]);
  for (const value of [0, 1, 1.5, 5, 10, 11, 1000]) buckets.record(value);
  expect(buckets.read()).toEqual({ bounds: [1, 5, 10], counts: [2, 2, 1, 2], sum: 1028.5 });
});

it('count in memory of others, and add up', () => {
  const cells = new Float64Array(Buckets.cellsOf([2]));
  new Buckets([2], cells).record(1);
  const one = new Buckets([2], cells);
  one.record(3);
  const both = sumSpreads([one.read(), { bounds: [2], counts: [10, 20], sum: 100 }]);
  expect(both).toEqual({ bounds: [2], counts: [11, 21], sum: 104 });
});
