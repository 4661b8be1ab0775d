/** What the suite `engine` measures. */

import type { Suite } from '../harness/suite.ts';
import { coldScenario } from './cold.ts';
import { models } from './models.ts';
import { replayScenario, requestsScenario } from './requests.ts';
import { restoreScenario, restoreTokens } from './restore.ts';
import { engineTable } from './table.ts';
import { turnsScenario } from './turns.ts';
import { requestLengths } from './workloads.ts';

export const engineSuite: Suite = {
  name: 'engine',
  scenarios: [
    ...restoreTokens.map((tokens) => restoreScenario(tokens)),
    ...models.flatMap((model) => requestLengths.map((name) => requestsScenario(name, model))),
    ...models.map((model) => replayScenario(model)),
    turnsScenario,
    coldScenario,
  ],
  workersMax: 1,
  table: engineTable,
};
