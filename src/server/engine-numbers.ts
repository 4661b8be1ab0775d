/** What the engines of a server count, and of several workers the sum. */

import { sumSpreads } from '../base/buckets.ts';
import type { EngineStats, LlamaEngine, Refusal } from '../engine/api.ts';
import { refusals } from '../engine/api.ts';

export interface EngineNumbers {
  readonly model: string;
  readonly stats: EngineStats;
}

/** Of the engine of this process. */
export function engineNumbersOf(engine: LlamaEngine | undefined): EngineNumbers[] {
  const [model] = engine?.models() ?? [];
  return engine === undefined || model === undefined
    ? []
    : [{ model: model.name, stats: engine.stats() }];
}

export function sumOfEngines(all: readonly EngineNumbers[]): EngineNumbers[] {
  const byModel = new Map<string, EngineStats[]>();
  for (const { model, stats } of all) byModel.set(model, [...(byModel.get(model) ?? []), stats]);
  return [...byModel].map(([model, each]) => ({ model, stats: sumOfStats(each) }));
}

/** What is left of engines that are gone. */
export function pastOfEngines(all: readonly EngineNumbers[]): EngineNumbers[] {
  return all.map(({ model, stats }) => ({
    model,
    stats: { ...stats, instances: 0, running: 0, queued: 0 },
  }));
}

function sumOfStats(all: readonly EngineStats[]): EngineStats {
  const sum = (of: (stats: EngineStats) => number): number =>
    all.reduce((total, stats) => total + of(stats), 0);
  const refused = refusals.map((reason) => [reason, sum((stats) => stats.blocksRefused[reason])]);
  return {
    instances: sum(({ instances }) => instances),
    instancesStarted: sum(({ instancesStarted }) => instancesStarted),
    instancesLost: sum(({ instancesLost }) => instancesLost),
    running: sum(({ running }) => running),
    queued: sum(({ queued }) => queued),
    requests: sum(({ requests }) => requests),
    refused: sum(({ refused: count }) => count),
    cancelled: sum(({ cancelled }) => cancelled),
    preempted: sum(({ preempted }) => preempted),
    waits: sumSpreads(all.map(({ waits }) => waits)),
    firstTokens: sumSpreads(all.map(({ firstTokens }) => firstTokens)),
    batches: sumSpreads(all.map(({ batches }) => batches)),
    promptBatches: sum(({ promptBatches }) => promptBatches),
    promptTokens: sum(({ promptTokens }) => promptTokens),
    cachedTokens: sum(({ cachedTokens }) => cachedTokens),
    completionTokens: sum(({ completionTokens }) => completionTokens),
    blocksWritten: sum(({ blocksWritten }) => blocksWritten),
    blocksShared: sum(({ blocksShared }) => blocksShared),
    blocksRestored: sum(({ blocksRestored }) => blocksRestored),
    blocksDropped: sum(({ blocksDropped }) => blocksDropped),
    blocksRejected: sum(({ blocksRejected }) => blocksRejected),
    blocksRefused: Object.fromEntries(refused) as Record<Refusal, number>,
  };
}
