/** What the suite `kv` measures. */

import type { Suite } from '../harness/suite.ts';
import { policies } from './policies.ts';
import { pythonScenario } from './python.ts';
import { sizes, sizeScenario } from './sizes.ts';

export const kvSuite: Suite = {
  name: 'kv',
  scenarios: [
    ...policies.flatMap((policy) => sizes.map((blocks) => sizeScenario(policy, blocks))),
    pythonScenario,
  ],
  workersMax: 1,
};
