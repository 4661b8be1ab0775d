/** What a pool costs before it holds much, and how soon it is open. */

import type { Suite } from '../harness/suite.ts';
import { regionTypes } from '../store/pools.ts';
import { manyPoolsScenario } from './many.ts';
import { openTimeScenario } from './open-time.ts';
import { reopenScenario } from './reopen.ts';

export const poolsSuite: Suite = {
  name: 'pools',
  scenarios: [
    ...regionTypes.map(manyPoolsScenario),
    openTimeScenario('memory'),
    openTimeScenario('disk'),
    reopenScenario,
  ],
  workersMax: 1,
};
