/**
 * Random arrivals, callers who give up, deadlines, idling, failures: after every step no state has crossed sequences (each carries a canary: whose it
 * is, and what it has seen), nobody shares a slot, the counters add up; and in the end nothing is left.
 */

import { test } from 'vitest';
import { rounds, seed } from '../../support/seed.ts';
import { anyOptions, anyDeed, RandomSequences } from './random-sequences.ts';
import { fc } from '../../support/properties.ts';

test('no state crosses sequences, counters add up to zero drift, nothing is left for ever', async () => {
  const deeds = fc.array(anyDeed, { maxLength: 80, size: 'max' });
  const property = fc.asyncProperty(anyOptions, deeds, async (options, all) => {
    const fuzz = new RandomSequences(options);
    for (const each of all) await fuzz.perform(each);
    await fuzz.finishAll();
  });
  await fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
});
