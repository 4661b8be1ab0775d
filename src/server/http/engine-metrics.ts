/** What engines count, for the metrics page: a label tells their models apart. */

import type { EngineNumbers } from '../engine-numbers.ts';
import { counter, gauge, histogram, joined, labelled, type Family } from './exposition.ts';

/** Models that have series of their own: the page must stay small. */
const measuredModelsMax = 16;
/** A name longer than this is cut. */
const nameMaxChars = 128;
const second = 0.001;

export function engineFamilies(engines: readonly EngineNumbers[]): Family[] {
  const groups = engines.slice(0, measuredModelsMax).map((engine) => ({
    name: engine.model.slice(0, nameMaxChars),
    families: [...requestFamilies(engine), ...tokenFamilies(engine), ...stateFamilies(engine)],
  }));
  return joined('model', groups);
}

function requestFamilies({ stats }: EngineNumbers): Family[] {
  return [
    gauge('engine_instances', 'Instances: threads with a context each.', stats.instances),
    counter('engine_instances_started', 'Instances that were started.', stats.instancesStarted),
    counter('engine_instances_lost', 'Instances that ended unasked.', stats.instancesLost),
    gauge('engine_running_requests', 'Requests in instances.', stats.running),
    gauge('engine_queued_requests', 'Requests that wait for a place.', stats.queued),
    counter('engine_requests', 'Requests.', stats.requests),
    counter('engine_refused_requests', 'Requests refused before they began.', stats.refused),
    counter('engine_cancelled_requests', 'Requests given up, or too late.', stats.cancelled),
    counter(
      'engine_preemptions',
      'Requests that made room for another tenant and went on later.',
      stats.preempted,
    ),
    histogram(
      'engine_queue_wait_seconds',
      'Time that requests have waited for a place.',
      stats.waits,
      second,
    ),
    histogram(
      'engine_first_token_seconds',
      'Time from the request to the first token.',
      stats.firstTokens,
      second,
    ),
  ];
}

function tokenFamilies({ stats }: EngineNumbers): Family[] {
  const { promptTokens, cachedTokens, completionTokens } = stats;
  const tokens = {
    cached: cachedTokens,
    computed: promptTokens - cachedTokens,
    completion: completionTokens,
  };
  return [
    labelled(
      'counter',
      'engine_tokens_total',
      'Tokens of ended requests: of prompts, brought back or computed, and of answers.',
      Object.entries(tokens).map(([kind, value]) => ({ labels: { kind }, value })),
    ),
    counter('engine_prompt_batches', 'Pieces of prompts that were computed.', stats.promptBatches),
    histogram(
      'engine_batch_sequences',
      'Sequences that had their next token in one batch.',
      stats.batches,
    ),
  ];
}

function stateFamilies({ stats }: EngineNumbers): Family[] {
  const moves = {
    written: stats.blocksWritten,
    shared: stats.blocksShared,
    restored: stats.blocksRestored,
    dropped: stats.blocksDropped,
    rejected: stats.blocksRejected,
  };
  return [
    labelled(
      'counter',
      'engine_blocks_total',
      'Blocks of state: written to the pool, there already, brought back, not written since too many waited, or since the pool took none.',
      Object.entries(moves).map(([outcome, value]) => ({ labels: { outcome }, value })),
    ),
    labelled(
      'counter',
      'engine_refused_blocks_total',
      'Blocks in the pool that were not used, by reason.',
      Object.entries(stats.blocksRefused).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
  ];
}
