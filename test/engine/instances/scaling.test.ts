/** When instances are started and ended. */

import { expect, it } from 'vitest';
import { decide, type Load } from '../../../src/engine/instances/scaling.ts';

const quiet: Load = {
  nowMs: 1000,
  min: 1,
  max: 3,
  instances: 1,
  starting: 0,
  waitingSinceMs: undefined,
  idleSinceMs: undefined,
  scaleUpAfterMs: 100,
  idleAfterMs: 500,
};

const cases: [what: string, load: Partial<Load>, action: string | undefined, nextMs: number][] = [
  ['below the minimum', { instances: 0 }, 'start', 1000],
  ['below the minimum, one starting', { min: 3, starting: 1 }, undefined, Infinity],
  ['nobody waits', {}, undefined, Infinity],
  ['somebody has just come', { waitingSinceMs: 1000 }, undefined, 1100],
  ['somebody waits not long enough', { waitingSinceMs: 901 }, undefined, 1001],
  ['somebody waits', { waitingSinceMs: 900 }, 'start', 1000],
  [
    'somebody waits, one starting',
    { waitingSinceMs: 0, instances: 2, starting: 1 },
    undefined,
    Infinity,
  ],
  ['somebody waits at the maximum', { waitingSinceMs: 0, instances: 3 }, undefined, Infinity],
  ['one is idle at the minimum', { idleSinceMs: 0 }, undefined, Infinity],
  ['one is idle not long enough', { instances: 2, idleSinceMs: 501 }, undefined, 1001],
  ['one is idle', { instances: 2, idleSinceMs: 500 }, 'end', 1000],
  [
    'one is idle, somebody waits',
    { instances: 2, idleSinceMs: 0, waitingSinceMs: 950 },
    undefined,
    1050,
  ],
];

it.each(cases)('%s', (_, load, action, nextMs) => {
  expect(decide({ ...quiet, ...load })).toEqual({ action, nextMs });
});
