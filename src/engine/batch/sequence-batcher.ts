/**
 * Requests to a model with state: Triton's sequence batcher.
 *
 * ```
 *   START of a new id                a slot is free            the next request of each
 *   ─────────────────▶ backlog ─────────────────────▶ slot ───────────────────────────▶ model
 *                      first in, first out             │ last answer after END, nothing came, given up, failed
 *                      by sequence, fair to tenants    └──▶ state ends, the slot is free
 * ```
 *
 * A slot has one owner, and leaves it only when nothing of the sequence is with the model: no state is ever seen by two. Who may be reaped is in the heap
 * of the idle and nowhere else, and whoever is taken out of it leaves: nobody is reaped twice.
 */

import { Alarm, systemTimers, type Timers } from '../../base/timers.ts';
import { show } from '../../base/show.ts';
import { CenoteError, fail } from '../../errors.ts';
import type { SequenceBatcherStats, SequenceEnd, SequenceOptions, SequenceSubmit } from './api.ts';
import { deadlineOver } from './batch-line.ts';
import { duration, moment } from './bounds.ts';
import { abortedBy } from './caller.ts';
import { Closing } from './closing.ts';
import { DueHeap } from './due-heap.ts';
import { FairQueue } from './fair-queue.ts';
import { asError } from './results.ts';
import { noSeat, type Seats } from './seats.ts';
import { SequenceKeeper } from './sequence-keeper.ts';
import { Sequence, SequenceRequest, type Desk, type Limit } from './sequence.ts';
import {
  keyOf,
  limitsFrom,
  seatsFor,
  strategyFrom,
  type Limits,
  type Strategy,
} from './sequence-options.ts';
import { Tally } from './tally.ts';

type Outcome = 'completed' | 'failed' | 'expired' | 'cancelled';

/**
 * @example
 * const batcher = new SequenceBatcher({ strategy: { kind: 'direct' }, execute, batchMax: 64, states });
 * await batcher.submit(chunk, { id: 'stream-7', start: true });
 * await batcher.submit(next, { id: 'stream-7', end: true });
 */
export class SequenceBatcher<I, O, S = undefined> {
  readonly #timers: Timers;
  readonly #limits: Limits;
  readonly #keeper: SequenceKeeper<I, O, S>;
  readonly #strategy: Strategy<I, O, S>;
  readonly #seats: Seats<Sequence<I, O, S>>;
  /** Who takes requests, by tenant and id. */
  readonly #live = new Map<string, Sequence<I, O, S>>();
  /** Also those that take no more, but are not done. */
  readonly #all = new Set<Sequence<I, O, S>>();
  readonly #backlog = new FairQueue<Sequence<I, O, S>>(1);
  readonly #idle = new DueHeap<Sequence<I, O, S>>();
  readonly #due = new DueHeap<Limit<SequenceRequest<I, O, S>>>();
  readonly #alarm: Alarm;
  readonly #counts = { accepted: 0, refused: 0, completed: 0, failed: 0, expired: 0, cancelled: 0 };
  /** Accepted, not with the model, not refused. */
  readonly #queued = new Tally();
  readonly #sequences = new Tally();
  readonly #closing = new Closing();

  /** @throws invalid_argument */
  constructor(options: SequenceOptions<I, O, S>) {
    this.#timers = options.timers ?? systemTimers;
    this.#limits = limitsFrom(options);
    this.#keeper = new SequenceKeeper(options.states);
    this.#seats = seatsFor(options);
    this.#strategy = strategyFrom(options, this.#seats, this.#desk, this.#timers);
    this.#alarm = new Alarm(this.#timers, this.#wake);
  }

  /**
   * Rejects with unknown_sequence (no START), engine_busy, engine_deadline, aborted, shutting_down, engine_closed, invalid_argument, and with what the
   * model threw, for the request that it was thrown for; the rest of its sequence is refused with engine_failed.
   */
  async submit(input: I, flags: SequenceSubmit): Promise<O> {
    const request = this.#accept(input, flags);
    this.#setAlarm();
    return request.caller.answer;
  }

  stats(): SequenceBatcherStats {
    const isRunning = ({ current }: Sequence<I, O, S>): boolean =>
      current?.isLaunched === true && !current.isTold;
    return {
      ...this.#counts,
      queued: this.#queued.all,
      running: [...this.#all].filter(isRunning).length,
      batches: this.#strategy.batches,
      live: this.#live.size,
      backlog: this.#backlog.size,
      slotsTaken: this.#seats.taken,
      ...this.#keeper.counts,
    };
  }

  /** Refuses every START; sequences that live go on. Resolves when all are over, by END or because nothing came. */
  drain(): Promise<void> {
    const drained = this.#closing.drain();
    this.#checkDrained();
    return drained;
  }

  /** Ends all sequences. Resolves when nothing runs any more. */
  close(): Promise<void> {
    const closed = this.#closing.close();
    for (const sequence of this.#all) {
      const { current } = sequence;
      if (current?.isLaunched === true) this.#tell(current, 'cancelled', closed);
      this.#stop(sequence, 'closed', 'cancelled', closed);
    }
    this.#setAlarm();
    return this.drain();
  }

  #accept(input: I, flags: SequenceSubmit): SequenceRequest<I, O, S> {
    try {
      return this.#take(input, flags);
    } catch (error) {
      this.#counts.refused += 1;
      throw error;
    }
  }

  #take(input: I, flags: SequenceSubmit): SequenceRequest<I, O, S> {
    const { id, tenant = '', start = false, end = false, signal } = flags;
    const nowMs = this.#timers.nowMs();
    const ownMs = duration('queueTimeoutMs', flags.queueTimeoutMs ?? Infinity);
    const finalMs = moment('deadlineMs', flags.deadlineMs ?? Infinity);
    const key = keyOf(tenant, id);
    if (signal?.aborted === true) throw abortedBy(signal);
    if (finalMs <= nowMs) throw deadlineOver();
    const { refusal, isClosed } = this.#closing;
    if (refusal !== undefined && (start || isClosed)) throw refusal;
    const sequence = this.#live.get(key) ?? this.#open(key, flags);
    this.#checkRoom(sequence);
    const { backlogTimeoutMs } = this.#limits;
    const due = { backlogMs: nowMs + Math.min(backlogTimeoutMs, ownMs), finalMs };
    const request = new SequenceRequest(sequence, input, flags, due, this.#desk, this.#gaveUp);
    // From here on nothing is refused any more.
    this.#counts.accepted += 1;
    this.#queued.add(tenant, 1);
    request.arrivedMs = sequence.lastArrivalMs = nowMs;
    sequence.queue.push(request);
    this.#idle.delete(sequence);
    if (end) this.#live.delete(key);
    else this.#live.set(key, sequence);
    this.#setLimit(request);
    if (!this.#all.has(sequence)) this.#admit(sequence);
    this.#advance(sequence);
    return request;
  }

  #checkRoom({ tenant, queue }: Sequence<I, O, S>): void {
    const { queueMax, tenantQueueMax, sequenceQueueMax } = this.#limits;
    const [all, own] = [this.#queued.all, this.#queued.of(tenant)];
    if (all < queueMax && own < tenantQueueMax && queue.length < sequenceQueueMax) return;
    const parts = `${own} of this tenant, ${queue.length} of this sequence`;
    fail('engine_busy', `The queue is full: ${all} requests wait, ${parts}.`);
  }

  /** A sequence that nobody knows yet. */
  #open(key: string, { id, tenant = '', start }: SequenceSubmit): Sequence<I, O, S> {
    if (start !== true)
      fail(
        'unknown_sequence',
        `Sequence ${show(id)} has not begun: its first request needs START.`,
      );
    const { sequencesMax, tenantSequencesMax } = this.#limits;
    const [all, own] = [this.#sequences.all, this.#sequences.of(tenant)];
    if (all >= sequencesMax || own >= tenantSequencesMax)
      fail('engine_busy', `There are ${all} sequences already, ${own} of this tenant.`);
    return new Sequence(key, id, tenant);
  }

  #admit(sequence: Sequence<I, O, S>): void {
    this.#all.add(sequence);
    this.#sequences.add(sequence.tenant, 1);
    this.#backlog.push(sequence);
    this.#fill();
  }

  /** Gives free slots to whoever waits for one. */
  #fill(): void {
    while (this.#backlog.size > 0 && this.#seats.hasFree && !this.#closing.isClosed) {
      const sequence = this.#backlog.take() as Sequence<I, O, S>;
      this.#seats.seat(sequence);
      for (const request of sequence.queue) this.#setLimit(request);
      this.#advance(sequence);
    }
  }

  #setLimit({ limit, sequence, backlogDueMs, finalDueMs }: SequenceRequest<I, O, S>): void {
    const dueMs = sequence.seat === noSeat ? Math.min(backlogDueMs, finalDueMs) : finalDueMs;
    this.#due.set(limit, dueMs);
  }

  /** The next request of a sequence may go, if it has a slot and nothing of it is under way. */
  #advance(sequence: Sequence<I, O, S>): void {
    const next = sequence.queue[0];
    if (next === undefined || sequence.seat === noSeat || sequence.current !== undefined) return;
    if (next.start && !next.hasBegun) {
      next.hasBegun = true;
      try {
        this.#keeper.begin(sequence);
      } catch (error) {
        this.#stop(sequence, 'failed', 'failed', asError(error));
        return;
      }
    }
    this.#strategy.offer(sequence);
  }

  readonly #desk: Desk<I, O, S> = {
    launch: (request) => {
      request.isLaunched = true;
      this.#queued.add(request.tenant, -1);
      request.state = request.sequence.state as S;
    },
    returned: (request, outcome) => {
      this.#returned(request, outcome);
      this.#setAlarm();
    },
  };

  #returned(request: SequenceRequest<I, O, S>, outcome: O | Error): void {
    const { sequence } = request;
    const isFailed = outcome instanceof Error;
    sequence.current = undefined;
    if (!isFailed) sequence.state = request.state;
    this.#tell(request, isFailed ? 'failed' : 'completed', outcome);
    if (sequence.ending !== undefined) this.#leave(sequence, sequence.ending);
    else if (isFailed) this.#stop(sequence, 'failed', 'failed', failedBefore(outcome));
    else if (request.end) this.#leave(sequence, 'end');
    else if (sequence.queue.length > 0) this.#advance(sequence);
    else {
      const { idleMs, graceMs } = this.#limits;
      const graceEndsMs = this.#timers.nowMs() + graceMs;
      this.#idle.set(sequence, Math.max(sequence.lastArrivalMs + idleMs, graceEndsMs));
    }
  }

  readonly #gaveUp = (request: SequenceRequest<I, O, S>): void => {
    const error = new CenoteError('aborted', 'A caller cancelled a request of this sequence.');
    this.#end(request, 'cancelled', error);
    this.#setAlarm();
  };

  /** A request is over before it has its answer, and its sequence with it. */
  #end(request: SequenceRequest<I, O, S>, why: 'cancelled' | 'expired', error: Error): void {
    if (request.isLaunched) this.#tell(request, why, error);
    this.#stop(request.sequence, why, why, error);
  }

  readonly #wake = (): void => {
    const nowMs = this.#timers.nowMs();
    for (let limit = this.#due.take(nowMs); limit; limit = this.#due.take(nowMs))
      this.#end(limit.request, 'expired', deadlineOver());
    for (let sequence = this.#idle.take(nowMs); sequence; sequence = this.#idle.take(nowMs))
      this.#stop(sequence, 'idle', 'expired', deadlineOver());
    this.#setAlarm();
  };

  /** The sequence takes no more, what waits of it is refused, and it leaves as soon as nothing of it is with the model. */
  #stop(sequence: Sequence<I, O, S>, ending: SequenceEnd, why: Outcome, error: Error): void {
    if (sequence.ending !== undefined) return;
    sequence.ending = ending;
    // The id may belong to another sequence by now: END frees it.
    if (this.#live.get(sequence.key) === sequence) this.#live.delete(sequence.key);
    this.#strategy.withdraw(sequence);
    for (const request of sequence.queue.splice(0)) {
      this.#queued.add(sequence.tenant, -1);
      this.#tell(request, why, error);
    }
    if (sequence.current === undefined) this.#leave(sequence, ending);
  }

  #leave(sequence: Sequence<I, O, S>, ending: SequenceEnd): void {
    sequence.ending = ending;
    this.#all.delete(sequence);
    this.#sequences.add(sequence.tenant, -1);
    this.#backlog.remove(sequence);
    this.#idle.delete(sequence);
    this.#keeper.end(sequence, ending);
    this.#seats.leave(sequence);
    this.#fill();
    this.#checkDrained();
  }

  #tell(request: SequenceRequest<I, O, S>, why: Outcome, outcome: O | Error): void {
    this.#due.delete(request.limit);
    if (request.isTold) return;
    request.isTold = true;
    this.#counts[why] += 1;
    request.caller.settle(outcome);
  }

  #setAlarm(): void {
    this.#alarm.set(Math.min(this.#due.nextMs, this.#idle.nextMs));
  }

  #checkDrained(): void {
    if (this.#all.size === 0) this.#closing.over();
  }
}

function failedBefore(cause: Error): CenoteError {
  const message = 'A request before this one failed, and what it left of the state is not known.';
  return new CenoteError('engine_failed', message, { cause });
}
