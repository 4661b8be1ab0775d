/**
 * Every operation of a pool, killed at each of its memory accesses. A normal run takes strides through long operations, from an access that
 * the seed gives; CI=true visits every access that a crash at leaves something else in memory than a crash at the one before.
 */

import { afterAll, describe, it, vi } from 'vitest';
import { Trial, visitAccesses } from './harness.ts';
import { scenarios } from './scenarios.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Crashes per operation in a normal run. */
const pointsMax = process.env['CI'] === 'true' ? Infinity : 60;
/** After each of so many crashes everything is deleted too. */
const emptyEvery = 4;

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`killed at accesses of\n${covered.join('\n')}\n`);
});

describe('killed at every access', () => {
  for (const scenario of scenarios) {
    it(scenario.name, () => {
      const trial = new Trial(scenario);
      const points = visitAccesses(trial.accessesToVisit(), pointsMax, (k, nth) => {
        trial.crashAt(k);
        trial.verify(nth % emptyEvery === 0);
      });
      covered.push(`  ${scenario.name.padEnd(46)} ${points} of ${trial.accesses}`);
    });
  }
});
