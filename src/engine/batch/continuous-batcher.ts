/**
 * Continuous batching: sequences that make tokens join and leave between any two steps (as in Orca, and vLLM).
 *
 * ```
 *   request ──▶ waiting ────────────────────────▶ slot ──▶ step, step, step … ──▶ over
 *               bounded, fair to tenants  ▲         │
 *                                         └─────────┘ preempted: for another tenant, or because no more tokens fit
 * ```
 *
 * Between two steps, in this order: whoever is over leaves, whoever waits joins, the step is planned. The model hears one thing at a time.
 */

import { Alarm, systemTimers, type Timers } from '../../base/timers.ts';
import { CenoteError, fail } from '../../errors.ts';
import { deadlineOver } from './batch-line.ts';
import { abortedBy } from './caller.ts';
import { Closing } from './closing.ts';
import type {
  ContinuousOptions,
  ContinuousRequest,
  ContinuousResult,
  ContinuousStats,
  RunEnd,
  TokenModel,
} from './continuous-api.ts';
import { boundsFrom, checkRequest, type ContinuousBounds } from './continuous-options.ts';
import { DueHeap } from './due-heap.ts';
import { FairQueue } from './fair-queue.ts';
import { occupied, victimFor } from './fair-slots.ts';
import { asError } from './results.ts';
import { StepPlan } from './step-plan.ts';
import { noSlot, TokenRun } from './token-run.ts';

type Outcome = 'finished' | 'failed' | 'expired' | 'cancelled';

/** Who has a slot is to find room for so many more tokens when another joins, or they would soon push each other out. */
const roomAheadTokens = 16;

/**
 * @example
 * const batcher = new ContinuousBatcher({ model, slots: 8 });
 * const { tokens } = await batcher.submit({ tokens: prompt, maxTokens: 64, meta: undefined, tenant, signal });
 */
export class ContinuousBatcher<M> {
  readonly #model: TokenModel<M>;
  readonly #timers: Timers;
  readonly #bounds: ContinuousBounds;
  readonly #waiting = new FairQueue<TokenRun<M>>(1);
  readonly #slots: (TokenRun<M> | undefined)[];
  readonly #plan: StepPlan<M>;
  readonly #due = new DueHeap<TokenRun<M>>();
  readonly #alarm: Alarm;
  readonly #counts = {
    accepted: 0,
    refused: 0,
    finished: 0,
    failed: 0,
    expired: 0,
    cancelled: 0,
    preempted: 0,
    steps: 0,
    restoredTokens: 0,
    computedTokens: 0,
    generatedTokens: 0,
  };
  #isTurning = false;
  /** Somebody who has a slot is over. */
  #someOver = false;
  readonly #closing = new Closing();

  /** @throws invalid_argument */
  constructor(options: ContinuousOptions<M>) {
    this.#model = options.model;
    this.#timers = options.timers ?? systemTimers;
    this.#bounds = boundsFrom(options);
    this.#slots = Array.from({ length: this.#bounds.slots });
    this.#plan = new StepPlan(this.#bounds);
    this.#alarm = new Alarm(this.#timers, this.#wake);
  }

  /**
   * Rejects with engine_busy, engine_prompt_too_long, engine_deadline, aborted, shutting_down, engine_closed, invalid_argument, and with what the model
   * threw.
   */
  async submit(request: ContinuousRequest<M>): Promise<ContinuousResult> {
    const run = this.#accept(request);
    this.#setAlarm();
    this.#turnSoon();
    return run.caller.answer;
  }

  stats(): ContinuousStats {
    const taken = this.#slots.filter((run) => run !== undefined);
    return {
      ...this.#counts,
      waiting: this.#waiting.size,
      running: taken.filter(({ phase }) => phase === 'running').length,
      slotsTaken: taken.length,
    };
  }

  /** Takes in no more. Resolves when all that was taken in is over, and all slots are free. */
  drain(): Promise<void> {
    this.#turnSoon();
    return this.#closing.drain();
  }

  /** Refuses what waits and what runs. Resolves when all slots are free. */
  close(): Promise<void> {
    this.#refuseAll('cancelled', this.#closing.close());
    return this.drain();
  }

  #accept(request: ContinuousRequest<M>): TokenRun<M> {
    try {
      checkRequest(request, this.#bounds);
      const { deadlineMs = Infinity, signal } = request;
      if (signal?.aborted === true) throw abortedBy(signal);
      if (this.#closing.refusal !== undefined) throw this.#closing.refusal;
      if (deadlineMs <= this.#timers.nowMs()) throw deadlineOver();
      this.#checkRoom(request.tenant ?? '');
      const run = new TokenRun(request, this.#bounds.contextTokens, (given) => {
        this.#settle(given, 'cancelled', abortedBy(signal));
      });
      this.#counts.accepted += 1;
      this.#waiting.push(run);
      this.#due.set(run, deadlineMs);
      return run;
    } catch (error) {
      this.#counts.refused += 1;
      throw error;
    }
  }

  #checkRoom(tenant: string): void {
    const { queueMax, tenantQueueMax } = this.#bounds;
    if (this.#waiting.size >= queueMax)
      fail('engine_busy', `The queue is full: ${this.#waiting.size} sequences wait.`);
    if (this.#waiting.sizeOf(tenant) >= tenantQueueMax)
      fail('engine_busy', `${tenantQueueMax} sequences of this tenant wait.`);
  }

  readonly #wake = (): void => {
    const nowMs = this.#timers.nowMs();
    for (let run = this.#due.take(nowMs); run !== undefined; run = this.#due.take(nowMs))
      this.#settle(run, 'expired', deadlineOver());
    this.#setAlarm();
  };

  #setAlarm(): void {
    this.#alarm.set(this.#due.nextMs);
  }

  /** The caller is told; the slot, if there is one, is free before the next step. */
  #settle(run: TokenRun<M>, why: Outcome, outcome: ContinuousResult | Error): void {
    if (run.phase === 'over') return;
    if (run.phase === 'waiting') this.#waiting.remove(run);
    else this.#someOver = true;
    run.phase = 'over';
    run.ending = why;
    this.#due.delete(run);
    this.#setAlarm();
    this.#counts[why] += 1;
    run.caller.settle(outcome);
    this.#turnSoon();
  }

  #refuseAll(why: Outcome, error: Error): void {
    for (const run of Array.from(this.#waiting)) this.#settle(run, why, error);
    for (const run of this.#slots) if (run !== undefined) this.#settle(run, why, error);
  }

  #turnSoon(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    this.#timers.soon(() => void this.#turn());
  }

  /** Step after step, until there is nothing to do. */
  async #turn(): Promise<void> {
    try {
      do {
        if (this.#someOver) await this.#clear();
        if (this.#waiting.size > 0) await this.#join();
        if (this.#bounds.capacityTokens < Infinity) await this.#makeRoom();
        this.#plan.make(this.#slots);
        if (this.#plan.size > 0) await this.#step();
      } while (this.#plan.size > 0 || this.#someOver || this.#waiting.size > 0);
    } catch (error) {
      this.#lose(asError(error));
    }
    this.#isTurning = false;
    if (this.#waiting.size > 0 || this.#slots.some((run) => run !== undefined)) return;
    this.#closing.over();
  }

  /** What a slot holds is not known any more: nobody may have one again. */
  #lose(error: Error): void {
    const message = 'The model gave a slot back with an error.';
    this.#closing.refusal = new CenoteError('engine_failed', message, { cause: error });
    this.#refuseAll('failed', this.#closing.refusal);
    this.#slots.fill(undefined);
    this.#someOver = false;
  }

  async #clear(): Promise<void> {
    this.#someOver = false;
    for (const run of this.#slots)
      if (run?.phase === 'over') await this.#free(run, endOf(run, this.#closing.isClosed));
  }

  async #free(run: TokenRun<M>, reason: RunEnd): Promise<void> {
    this.#plan.leave(run);
    await this.#model.end(run, reason);
    this.#release(run);
  }

  #release(run: TokenRun<M>): void {
    this.#slots[run.slot] = undefined;
    run.slot = noSlot;
  }

  /** Gives slots to whoever waits, the next one first. */
  async #join(): Promise<void> {
    for (;;) {
      this.#waiting.begin();
      const next = this.#waiting.peek();
      if (next === undefined) return;
      if (!this.#slots.includes(undefined)) {
        const { sliceSteps } = this.#bounds;
        const victim = victimFor(next.tenant, this.#slots, this.#counts.steps, sliceSteps);
        if (victim === undefined) return;
        await this.#preempt(victim);
        continue;
      }
      if (!this.#fits(next)) return;
      this.#waiting.take();
      await this.#begin(next);
    }
  }

  #fits(run: TokenRun<M>): boolean {
    const { capacityTokens } = this.#bounds;
    const { tokens, count } = occupied(this.#slots);
    if (count === 0) return true;
    return tokens + run.length + roomAheadTokens * (count + 1) <= capacityTokens;
  }

  async #begin(run: TokenRun<M>): Promise<void> {
    run.slot = this.#slots.indexOf(undefined);
    this.#slots[run.slot] = run;
    run.phase = 'running';
    run.admittedStep = this.#counts.steps;
    try {
      const restored = await this.#model.begin(run);
      if (!Number.isInteger(restored) || restored < 0 || restored >= run.length)
        fail('engine_failed', `The model brought back ${restored} of ${run.length} tokens.`);
      run.computed = restored;
      this.#counts.restoredTokens += restored;
      if (run.restoredTokens < 0) run.restoredTokens = restored;
    } catch (error) {
      this.#settle(run, 'failed', asError(error));
    }
    if (run.phase === 'running') this.#plan.enter(run);
    else await this.#clear();
  }

  async #preempt(run: TokenRun<M>): Promise<void> {
    this.#plan.leave(run);
    this.#counts.preempted += 1;
    if (this.#model.preempt === undefined) await this.#model.end(run, 'preempted');
    else await this.#model.preempt(run);
    this.#release(run);
    // It may have been given up meanwhile.
    if (run.phase !== 'running') return;
    run.phase = 'waiting';
    run.computed = 0;
    run.cost = 1;
    this.#waiting.pushFront(run);
  }

  /** Each step may add a token per sequence: who joined last makes room. Whoever is alone fills all there is. */
  async #makeRoom(): Promise<void> {
    for (;;) {
      const { tokens, count } = occupied(this.#slots);
      if (count < 2 || tokens + count <= this.#bounds.capacityTokens) return;
      let last: TokenRun<M> | undefined;
      for (const run of this.#slots)
        if (run !== undefined && run.admittedStep >= (last?.admittedStep ?? 0)) last = run;
      if (last?.phase === 'running') await this.#preempt(last);
      else await this.#clear();
    }
  }

  async #step(): Promise<void> {
    const plan = this.#plan;
    this.#counts.steps += 1;
    try {
      await this.#model.step(plan);
    } catch (error) {
      for (const run of plan.runs)
        if (run !== undefined) this.#settle(run, 'failed', asError(error));
      return;
    }
    this.#counts.computedTokens += plan.tokens;
    plan.settle();
    this.#appendAll();
    // Also a model that answers at once lets others have their turn: callers give up, and come, between any two steps.
    await new Promise<void>((resolve) => this.#timers.soon(resolve));
  }

  #appendAll(): void {
    const plan = this.#plan;
    for (let index = 0; index < plan.size; index++) {
      const run = plan.runs[index];
      if (run?.phase === 'running' && plan.samples[index] === 1)
        this.#append(run, plan.next[index] as number);
    }
  }

  #append(run: TokenRun<M>, token: number): void {
    run.append(token);
    this.#counts.generatedTokens += 1;
    try {
      if (run.onToken?.(token) === true) this.#settle(run, 'finished', run.result('stop'));
      else if (run.length >= run.lengthMax) this.#settle(run, 'finished', run.result('length'));
    } catch (error) {
      this.#settle(run, 'failed', asError(error));
    }
  }
}

function endOf<M>({ ending }: TokenRun<M>, isClosed: boolean): RunEnd {
  return ending === 'cancelled' && isClosed ? 'closed' : ending;
}
