/**
 * The line in front of a model, and the instances that serve it: what the dynamic batcher is, without callers.
 *
 * ```
 *             push                 take (a batch)              answers
 *   request ───────▶ queued ───────────────────────▶ running ────────────▶ over     (held: until those before it have their answers)
 *                      │  time or deadline over, given up  │ deadline over, given up: the place in the batch stays taken
 *                      └───────────────▶ over ◀────────────┘
 * ```
 *
 * When to make a batch: whenever an instance is free, of those next in line,
 * 1. the largest preferred size that can be made;
 * 2. else, when no more fit, or somebody has waited `queueDelayMs`, as many as fit;
 * 3. else none yet.
 *
 * It looks once per turn of the event loop, after all that has come in: requests that come together, and those that answers bring about, go together.
 */

import { Alarm, Soon, type Timers } from '../../base/timers.ts';
import { CenoteError } from '../../errors.ts';
import type { DynamicStats, Execute } from './api.ts';
import type { Shape } from './bounds.ts';
import { Closing } from './closing.ts';
import { DueHeap, type Due } from './due-heap.ts';
import type { Lane } from './fair-queue.ts';
import { InOrder, type Ticket } from './in-order.ts';
import type { PolicyQueue, Prioritised } from './policy-queue.ts';
import { resultsOf } from './results.ts';

/** What stands in the line. Its owner extends it. */
export abstract class LineRequest<R> implements Prioritised<R>, Due {
  abstract readonly tenant: string;
  abstract readonly cost: number;
  readonly level: number = 1;
  /** Its own longest time in the queue. */
  readonly queueTimeoutMs: number = Infinity;
  readonly deadlineMs: number = Infinity;
  arrivedMs = 0;
  phase: 'new' | 'queued' | 'running' | 'held' | 'over' = 'new';
  late = false;
  lane: Lane<R> | undefined;
  before: R | undefined;
  after: R | undefined;
  older: R | undefined;
  newer: R | undefined;
  dueMs: number = Infinity;
  dueTurn = 0;
  heapIndex: number = -1;
  ticket: Ticket<R> | undefined;
  outcome: unknown;

  /** It is over: `outcome` is there. */
  abstract settle(): void;
}

export interface LineOptions<R extends Prioritised<R>, O> {
  readonly execute: Execute<R, O>;
  readonly queue: PolicyQueue<R>;
  readonly shape: Shape;
  readonly instances: number;
  readonly preserveOrdering: boolean;
  readonly timers: Timers;
}

type Counter = 'accepted' | 'refused' | 'completed' | 'failed' | 'expired' | 'cancelled';

export class BatchLine<R extends LineRequest<R>, O> {
  readonly #options: LineOptions<R, O>;
  readonly #queue: PolicyQueue<R>;
  readonly #due = new DueHeap<R>();
  readonly #alarm: Alarm;
  readonly #order: InOrder<R> | undefined;
  /** What each instance runs. Who is idle is seen here and counted nowhere else. */
  readonly #batches: (readonly R[] | undefined)[];
  readonly #counts: Record<Counter, number> = {
    accepted: 0,
    refused: 0,
    completed: 0,
    failed: 0,
    expired: 0,
    cancelled: 0,
  };
  #batchesRun = 0;
  #rowsRun = 0;
  readonly #closing = new Closing();
  readonly #soon: Soon;

  constructor(options: LineOptions<R, O>) {
    this.#options = options;
    this.#queue = options.queue;
    this.#soon = new Soon(options.timers, this.#look);
    this.#alarm = new Alarm(options.timers, this.#soon.ask);
    this.#order = options.preserveOrdering ? new InOrder(this.#complete) : undefined;
    this.#batches = Array.from({ length: options.instances });
  }

  /** @throws engine_busy, engine_deadline, shutting_down, engine_closed */
  push(request: R): void {
    try {
      this.#accept(request);
    } catch (error) {
      this.#counts.refused += 1;
      throw error;
    }
    this.#counts.accepted += 1;
    this.#soon.ask();
  }

  /** The request is over, wherever it is; what has begun runs on. */
  cancel(request: R, error: Error): void {
    this.#refuse(request, 'cancelled', error);
  }

  /** Takes in no more. Resolves when all that is in the line is over. */
  drain(): Promise<void> {
    this.#soon.ask();
    return this.#closing.drain();
  }

  /** Refuses all that is in the line. Resolves when nothing runs any more. */
  close(): Promise<void> {
    const closed = this.#closing.close();
    for (const request of Array.from(this.#queue)) this.#refuse(request, 'cancelled', closed);
    for (const request of this.#batches.flatMap((batch) => batch ?? []))
      this.#refuse(request, 'cancelled', closed);
    return this.drain();
  }

  stats(): DynamicStats {
    const running = this.#batches.flatMap((batch) => batch ?? []);
    return {
      ...this.#counts,
      queued: this.#queue.size,
      running: running.filter(({ phase }) => phase === 'running').length,
      held: this.#order?.held ?? 0,
      batches: this.#batchesRun,
      rows: this.#rowsRun,
      idleInstances: this.#batches.filter((batch) => batch === undefined).length,
    };
  }

  #accept(request: R): void {
    if (this.#closing.refusal !== undefined) throw this.#closing.refusal;
    const nowMs = this.#options.timers.nowMs();
    if (request.deadlineMs <= nowMs) throw deadlineOver();
    const policy = this.#queue.policyOf(request.level);
    request.arrivedMs = nowMs;
    // Answers that wait for one before them take the place of requests: nothing here grows without bound.
    this.#queue.push(request, this.#order?.held ?? 0);
    request.phase = 'queued';
    request.ticket = this.#order?.expect(request);
    const own = policy.allowTimeoutOverride ? request.queueTimeoutMs : Infinity;
    const timeoutMs = nowMs + Math.min(policy.timeoutMs, own);
    this.#due.set(request, Math.min(timeoutMs, request.deadlineMs));
  }

  readonly #look = (): void => {
    const nowMs = this.#options.timers.nowMs();
    this.#fallDue(nowMs);
    let instance = this.#batches.indexOf(undefined);
    while (instance >= 0) {
      const count = this.#choose(nowMs);
      if (count === 0) break;
      void this.#run(instance, this.#take(count));
      instance = this.#batches.indexOf(undefined);
    }
    const delayedMs =
      instance < 0 ? Infinity : this.#queue.oldestMs + this.#options.shape.queueDelayMs;
    this.#alarm.set(Math.min(this.#due.nextMs, delayedMs));
    if (this.#queue.size > 0 || this.#batches.some((batch) => batch !== undefined)) return;
    this.#closing.over();
  };

  /** Whoever is over goes before anybody is delayed: whom the late find in their line does not depend on who fell due first at one time. */
  #fallDue(nowMs: number): void {
    const delayed: R[] = [];
    for (let request = this.#due.take(nowMs); request; request = this.#due.take(nowMs)) {
      const isLate = request.phase === 'queued' && nowMs < request.deadlineMs;
      if (isLate && this.#queue.policyOf(request.level).timeoutAction === 'delay')
        delayed.push(request);
      else this.#refuse(request, 'expired', deadlineOver());
    }
    for (const request of delayed) {
      this.#queue.delay(request);
      this.#due.set(request, request.deadlineMs);
    }
  }

  /** How many of those next in line make a batch now; 0: it is better to wait. */
  #choose(nowMs: number): number {
    const queue = this.#queue;
    const { batchMax, preferred, queueDelayMs } = this.#options.shape;
    if (queue.size === 0) return 0;
    const isTime = this.#closing.refusal !== undefined || nowMs >= queue.oldestMs + queueDelayMs;
    // Most looks while others are waited for end here.
    if (!isTime && queue.cost < (preferred[0] ?? batchMax)) return 0;
    queue.begin();
    let [count, rows, best] = [0, 0, 0];
    let isFull = false;
    for (let next = queue.peek(); next !== undefined && !isFull; next = queue.peek()) {
      if (rows + next.cost > batchMax) {
        isFull = true;
        break;
      }
      rows += next.cost;
      count += 1;
      if (preferred.includes(rows)) best = count;
      isFull = rows === batchMax;
    }
    if (best > 0) return best;
    return isTime || isFull ? count : 0;
  }

  #take(count: number): readonly R[] {
    const batch: R[] = [];
    for (let i = 0; i < count; i++) {
      const request = this.#queue.take() as R;
      request.phase = 'running';
      this.#due.set(request, request.deadlineMs);
      batch.push(request);
    }
    return batch;
  }

  async #run(instance: number, batch: readonly R[]): Promise<void> {
    this.#batches[instance] = batch;
    this.#batchesRun += 1;
    for (const { cost } of batch) this.#rowsRun += cost;
    const results = await resultsOf(() => this.#options.execute(batch, instance), batch.length);
    this.#batches[instance] = undefined;
    for (const [index, request] of batch.entries()) {
      if (request.phase !== 'running') continue;
      request.outcome = results instanceof Error ? results : results[index];
      request.phase = 'held';
      if (request.ticket === undefined) this.#complete(request);
      else this.#order?.ready(request.ticket);
    }
    this.#soon.ask();
  }

  readonly #complete = (request: R): void => {
    this.#counts[request.outcome instanceof Error ? 'failed' : 'completed'] += 1;
    this.#end(request);
  };

  #refuse(request: R, counter: Counter, error: Error): void {
    if (request.phase === 'over' || request.phase === 'new') return;
    if (request.phase === 'queued') this.#queue.remove(request);
    this.#counts[counter] += 1;
    request.outcome = error;
    this.#end(request);
    if (request.ticket !== undefined) this.#order?.forget(request.ticket);
    this.#soon.ask();
  }

  #end(request: R): void {
    request.phase = 'over';
    this.#due.delete(request);
    request.settle();
  }
}

export function deadlineOver(): CenoteError {
  return new CenoteError('engine_deadline', 'The time for this request is over.');
}
