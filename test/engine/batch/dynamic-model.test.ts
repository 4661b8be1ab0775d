/** Random arrivals, timeouts, answers and callers who give up: batch by batch and word by word what a naive oracle says, and counters that add up. */

import { test } from 'vitest';
import { rounds, seed } from '../../support/seed.ts';
import { anyShape, anyDeed, idle, Pair } from './dynamic-pair.ts';
import { fc } from '../../support/properties.ts';

test('a dynamic batcher does what a naive one does', async () => {
  const deeds = fc.array(anyDeed, { maxLength: 60, size: 'max' });
  const property = fc.asyncProperty(anyShape, deeds, async (shape, all) => {
    const pair = new Pair(shape);
    for (const each of all) await pair.perform(each);
    await pair.perform({ ...idle, deed: 'advance', ms: 8 });
    await pair.finishAll();
  });
  await fc.assert(property, { seed: seed(), numRuns: rounds(150, 1500) });
});
