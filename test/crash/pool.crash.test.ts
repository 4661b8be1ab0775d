/**
 * Every operation of a pool, killed at each of its memory accesses. A normal run takes strides through long operations, from an access that
 * the seed gives; CI=true visits every access.
 */

import { afterAll, describe, it, vi } from 'vitest';
import { pointsOf } from '../support/points.ts';
import { Trial } from './harness.ts';
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
      let points = 0;
      for (const k of pointsOf(trial.accesses, pointsMax)) {
        try {
          trial.crashAt(k);
          trial.verify(points % emptyEvery === 0);
        } catch (error) {
          throw new Error(`killed at access ${k} of ${trial.accesses}`, { cause: error });
        }
        points++;
      }
      covered.push(`  ${scenario.name.padEnd(46)} ${points} of ${trial.accesses}`);
    });
  }
});
