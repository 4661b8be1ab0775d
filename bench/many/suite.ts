/** What the suite `many` measures: processes that share one pool. */

import type { Suite } from '../harness/suite.ts';
import { manyGetScenario } from './get.ts';
import { manyPutScenario } from './put.ts';

const kib = 2 ** 10;
const mib = 2 ** 20;

export const manySuite: Suite = {
  name: 'many',
  scenarios: [
    manyGetScenario({ sizeBytes: kib, count: 100_000, lmdbBar: 2, redisBar: 40 }),
    manyGetScenario({ sizeBytes: 64 * kib, count: 100_000, lmdbBar: 2, redisBar: 40 }),
    manyGetScenario({ sizeBytes: mib, count: 100_000, lmdbBar: 50, redisBar: 40 }),
    manyPutScenario({ sizeBytes: 64, count: 10_000 }),
    manyPutScenario({ sizeBytes: kib, count: 16_384 }),
    manyPutScenario({ sizeBytes: 64 * kib, count: 4096 }),
  ],
  workersMax: 1,
};
