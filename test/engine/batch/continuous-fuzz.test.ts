/**
 * Random arrivals of many tenants, callers who give up, deadlines, steps that fail, slots and tokens far too few: after every step the state in every
 * slot is that of the sequence that has it, the counters add up; every answer is the undisturbed one; and in the end nothing is left.
 */

import { test } from 'vitest';
import { rounds, seed } from '../../support/seed.ts';
import { anyOptions, anyDeed, RandomRuns } from './random-runs.ts';
import { fc } from '../../support/properties.ts';

test('every answer is the undisturbed one, no state is another’s, nothing is left for ever', async () => {
  const deeds = fc.array(anyDeed, { maxLength: 80, size: 'max' });
  const property = fc.asyncProperty(anyOptions, deeds, async (options, all) => {
    const fuzz = new RandomRuns(options);
    for (const each of all) await fuzz.perform(each);
    await fuzz.finishAll();
  });
  await fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
});
