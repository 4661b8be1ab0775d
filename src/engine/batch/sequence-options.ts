/** What a sequence batcher is opened with, checked. */

import type { Timers } from '../../base/timers.ts';
import { fail } from '../../errors.ts';
import { show } from '../../base/show.ts';
import type { SequenceId, SequenceOptions } from './api.ts';
import { countMax, duration, shapeFrom, text, wholeNumber } from './bounds.ts';
import { Direct } from './direct.ts';
import { Oldest } from './oldest.ts';
import { Seats } from './seats.ts';
import type { Desk, Sequence } from './sequence.ts';

const idleMsDefault = 1000;
const graceMsDefault = 100;
const sequencesMaxDefault = 1024;
const queueMaxDefault = 1024;
const sequenceQueueMaxDefault = 64;
const slotsMax = 1 << 16;

export interface Limits {
  readonly idleMs: number;
  readonly graceMs: number;
  readonly backlogTimeoutMs: number;
  readonly sequencesMax: number;
  readonly tenantSequencesMax: number;
  readonly queueMax: number;
  readonly tenantQueueMax: number;
  readonly sequenceQueueMax: number;
}

/** @throws invalid_argument */
export function limitsFrom<I, O, S>(options: SequenceOptions<I, O, S>): Limits {
  const { idleMs = idleMsDefault, graceMs = graceMsDefault } = options;
  const { sequencesMax = sequencesMaxDefault, queueMax = queueMaxDefault } = options;
  const { sequenceQueueMax = sequenceQueueMaxDefault, backlogTimeoutMs = Infinity } = options;
  const { tenantSequencesMax = sequencesMax, tenantQueueMax = queueMax } = options;
  return {
    idleMs: duration('idleMs', idleMs),
    graceMs: Math.min(idleMs, duration('graceMs', graceMs)),
    backlogTimeoutMs: duration('backlogTimeoutMs', backlogTimeoutMs),
    sequencesMax: wholeNumber('sequencesMax', sequencesMax, 1, countMax),
    tenantSequencesMax: wholeNumber('tenantSequencesMax', tenantSequencesMax, 1, countMax),
    queueMax: wholeNumber('queueMax', queueMax, 1, countMax),
    tenantQueueMax: wholeNumber('tenantQueueMax', tenantQueueMax, 1, countMax),
    sequenceQueueMax: wholeNumber('sequenceQueueMax', sequenceQueueMax, 1, countMax),
  };
}

/** @throws invalid_argument */
export function seatsFor<I, O, S>(options: SequenceOptions<I, O, S>): Seats<Sequence<I, O, S>> {
  const { strategy, batchMax, instances = 1 } = options;
  const slots = strategy.kind === 'oldest' ? strategy.candidatesMax : batchMax;
  const name = strategy.kind === 'oldest' ? 'candidatesMax' : 'batchMax';
  wholeNumber('instances', instances, 1, slotsMax);
  return new Seats(wholeNumber(name, slots, 1, Math.floor(slotsMax / instances)), instances);
}

/** Decides when the next request of a sequence goes. */
export interface Strategy<I, O, S> {
  readonly batches: number;
  /** The next request of the sequence may go. */
  offer(sequence: Sequence<I, O, S>): void;
  /** What of it is not with the model goes back to its queue. */
  withdraw(sequence: Sequence<I, O, S>): void;
}

/** @throws invalid_argument */
export function strategyFrom<I, O, S>(
  options: SequenceOptions<I, O, S>,
  seats: Seats<Sequence<I, O, S>>,
  desk: Desk<I, O, S>,
  timers: Timers,
): Strategy<I, O, S> {
  const { strategy, batchMax, execute, instances = 1 } = options;
  if (strategy.kind === 'oldest') {
    const { candidatesMax, preserveOrdering = false } = strategy;
    const shape = shapeFrom({ ...strategy, batchMax });
    return new Oldest({ execute, shape, instances, candidatesMax, preserveOrdering, desk, timers });
  }
  const { queueDelayMs = 0, slotUtilizationMin = 0 } = strategy;
  duration('queueDelayMs', queueDelayMs);
  if (!(slotUtilizationMin >= 0 && slotUtilizationMin <= 1))
    fail('invalid_argument', `slotUtilizationMin is 0 to 1; got ${show(slotUtilizationMin)}.`);
  const shape = { batchMax, queueDelayMs, slotUtilizationMin };
  return new Direct({ execute, instances, seats, desk, timers, ...shape });
}

/** Tenant and id in one: no two pairs give the same. @throws invalid_argument */
export function keyOf(tenant: string, id: SequenceId): string {
  const { length } = text('tenant', tenant);
  if (typeof id === 'number' && Number.isFinite(id)) return `${length}:${tenant}#${id}`;
  return `${length}:${tenant}$${text('id', id as string)}`;
}
