/** Requests to a model without state, put together: Triton's dynamic batcher. */

import { systemTimers } from '../../base/timers.ts';
import { fail } from '../../errors.ts';
import type { DynamicOptions, DynamicStats, SubmitOptions, Work } from './api.ts';
import { BatchLine, LineRequest } from './batch-line.ts';
import {
  countMax,
  duration,
  moment,
  policiesFrom,
  shapeFrom,
  text,
  wholeNumber,
} from './bounds.ts';
import { abortedBy, Caller } from './caller.ts';
import { PolicyQueue } from './policy-queue.ts';

class Request<I, O> extends LineRequest<Request<I, O>> implements Work<I> {
  readonly input: I;
  readonly tenant: string;
  readonly cost: number;
  override readonly level: number;
  override readonly queueTimeoutMs: number;
  override readonly deadlineMs: number;
  readonly caller: Caller<O>;

  constructor(input: I, level: number, options: SubmitOptions, gaveUp: (r: Request<I, O>) => void) {
    super();
    this.input = input;
    this.level = level;
    this.tenant = text('tenant', options.tenant ?? '');
    this.cost = options.rows ?? 1;
    this.queueTimeoutMs = duration('queueTimeoutMs', options.queueTimeoutMs ?? Infinity);
    this.deadlineMs = moment('deadlineMs', options.deadlineMs ?? Infinity);
    this.caller = new Caller(options.signal, () => gaveUp(this));
  }

  get rows(): number {
    return this.cost;
  }

  get cancelled(): boolean {
    return this.phase === 'over';
  }

  override settle(): void {
    this.caller.settle(this.outcome as O | Error);
  }
}

/**
 * @example
 * const batcher = new DynamicBatcher({ execute: (batch) => model.run(batch.map(({ input }) => input)), batchMax: 32 });
 * const answer = await batcher.submit(input, { tenant, signal });
 */
export class DynamicBatcher<I, O> {
  readonly #line: BatchLine<Request<I, O>, O>;
  readonly #batchMax: number;
  readonly #levels: number;
  readonly #defaultLevel: number;

  /** @throws invalid_argument */
  constructor(options: DynamicOptions<I, O>) {
    const { instances = 1, priorityLevels = 1, preserveOrdering = false } = options;
    const { defaultQueuePolicy, priorityQueuePolicies, defaultPriority = priorityLevels } = options;
    const policies = policiesFrom(priorityLevels, defaultQueuePolicy, priorityQueuePolicies);
    if (preserveOrdering && priorityLevels > 1)
      fail('invalid_argument', 'preserveOrdering and priorityLevels exclude each other.');
    const shape = shapeFrom(options);
    this.#batchMax = shape.batchMax;
    this.#levels = priorityLevels;
    this.#defaultLevel = wholeNumber('defaultPriority', defaultPriority, 1, priorityLevels);
    this.#line = new BatchLine({
      execute: options.execute,
      queue: new PolicyQueue(policies, wholeNumber('fairRows', options.fairRows ?? 1, 1, countMax)),
      shape,
      instances: wholeNumber('instances', instances, 1, countMax),
      preserveOrdering,
      timers: options.timers ?? systemTimers,
    });
  }

  /**
   * Rejects with engine_busy, engine_deadline, aborted, shutting_down, engine_closed, invalid_argument, and with what the model threw
   * (engine_failed where that is no error).
   */
  async submit(input: I, options: SubmitOptions = {}): Promise<O> {
    const { priority = 0, rows = 1, signal } = options;
    wholeNumber('priority', priority, 0, this.#levels);
    wholeNumber('rows', rows, 1, this.#batchMax);
    if (signal?.aborted === true) throw abortedBy(signal);
    const level = priority === 0 ? this.#defaultLevel : priority;
    const request = new Request<I, O>(input, level, options, (given) =>
      this.#line.cancel(given, abortedBy(signal)),
    );
    try {
      this.#line.push(request);
    } catch (error) {
      request.caller.settle(error as Error);
    }
    return request.caller.answer;
  }

  stats(): DynamicStats {
    return this.#line.stats();
  }

  /** Takes in no more. Resolves when all that was taken in is over. */
  drain(): Promise<void> {
    return this.#line.drain();
  }

  /** Refuses what waits and what runs. Resolves when nothing runs any more. */
  close(): Promise<void> {
    return this.#line.close();
  }
}
