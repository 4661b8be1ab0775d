/** What the suite `engine` measures. */

import type { Suite } from '../harness/suite.ts';
import { throughputScenario, turnsScenario } from './requests.ts';
import { restoreScenario, restoreTokens } from './restore.ts';

export const engineSuite: Suite = {
  name: 'engine',
  scenarios: [
    ...restoreTokens.map((tokens) => restoreScenario(tokens)),
    throughputScenario,
    turnsScenario,
  ],
  workersMax: 1,
};
