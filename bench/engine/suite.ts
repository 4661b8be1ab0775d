/** What the suite `engine` measures. */

import type { Suite } from '../harness/suite.ts';
import { restoreScenario, restoreTokens } from './restore.ts';

export const engineSuite: Suite = {
  name: 'engine',
  scenarios: restoreTokens.map((tokens) => restoreScenario(tokens)),
  workersMax: 1,
};
