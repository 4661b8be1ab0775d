/** What an engine tells of its instances. */

import type { EngineStats } from './api.ts';
import type { Crew } from './instances/crew.ts';

/** From what nobody notices to what everybody does. */
export const timeBoundsMs: readonly number[] = [
  1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000,
];

type OfQueue = 'queued' | 'requests' | 'refused' | 'cancelled' | 'waits' | 'firstTokens';

export function crewStats(crew: Crew): Omit<EngineStats, OfQueue> {
  return {
    instances: crew.size,
    instancesStarted: crew.started,
    instancesLost: crew.lost,
    running: crew.running,
    preempted: crew.count('preempted'),
    batches: crew.batches(),
    promptBatches: crew.count('promptBatches'),
    promptTokens: crew.count('promptTokens'),
    cachedTokens: crew.count('cachedTokens'),
    completionTokens: crew.count('completionTokens'),
    blocksWritten: crew.count('blocksWritten'),
    blocksShared: crew.count('blocksShared'),
    blocksRestored: crew.count('blocksRestored'),
    blocksDropped: crew.count('blocksDropped'),
    blocksRejected: crew.count('blocksRejected'),
    blocksRefused: crew.countRefused(),
  };
}
