/** What the suite `alloc` measures: allocators beside each other, on the same streams of operations. */

import type { Suite } from '../harness/suite.ts';
import { houseScenario, shapes } from './house-scenario.ts';
import { allocFiles } from './charts.ts';
import { bundleThread } from './bundle.ts';
import { buildNative } from './native-player.ts';
import { replayScenario } from './replay-scenario.ts';
import { teamScenarios } from './team-scenarios.ts';
import { houseWorkloads } from './workloads.ts';

export const allocSuite: Suite = {
  name: 'alloc',
  scenarios: [
    ...shapes.flatMap((shape) => houseWorkloads.map((it) => houseScenario(it, shape))),
    ...teamScenarios,
    replayScenario,
  ],
  workersMax: 64,
  files: allocFiles,
  async prepare(folder, log) {
    buildNative(folder, log);
    await bundleThread();
  },
};
