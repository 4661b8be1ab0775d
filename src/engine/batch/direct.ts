/** The direct strategy: the slot of a sequence is its place in every batch. */

import { Alarm, Soon, type Timers } from '../../base/timers.ts';
import type { Execute, IdleStep, Step } from './api.ts';
import { resultsOf } from './results.ts';
import type { Seats } from './seats.ts';
import type { Desk, Sequence, SequenceRequest } from './sequence.ts';

export interface DirectOptions<I, O, S> {
  readonly execute: Execute<Step<I, S>, O>;
  readonly batchMax: number;
  readonly instances: number;
  readonly queueDelayMs: number;
  readonly slotUtilizationMin: number;
  readonly seats: Seats<Sequence<I, O, S>>;
  readonly desk: Desk<I, O, S>;
  readonly timers: Timers;
}

export class Direct<I, O, S> {
  readonly #options: DirectOptions<I, O, S>;
  readonly #isBusy: boolean[];
  readonly #alarm: Alarm;
  readonly #soon: Soon;
  #batches = 0;

  constructor(options: DirectOptions<I, O, S>) {
    this.#options = options;
    this.#isBusy = Array.from({ length: options.instances }, () => false);
    this.#soon = new Soon(options.timers, this.#look);
    this.#alarm = new Alarm(options.timers, this.#soon.ask);
  }

  get batches(): number {
    return this.#batches;
  }

  /** Its next request may go. */
  offer(): void {
    this.#soon.ask();
  }

  /** Nothing leaves the sequence's own queue before it goes to the model. */
  withdraw(): void {
    this.#soon.ask();
  }

  readonly #look = (): void => {
    let wakeMs = Infinity;
    for (const [instance, isBusy] of this.#isBusy.entries()) {
      if (isBusy) continue;
      const ready = this.#readyOf(instance);
      if (ready.length === 0) continue;
      const dueMs = this.#dueMs(ready);
      if (this.#options.timers.nowMs() >= dueMs) void this.#run(instance, ready);
      else wakeMs = Math.min(wakeMs, dueMs);
    }
    this.#alarm.set(wakeMs);
  };

  #readyOf(instance: number): Sequence<I, O, S>[] {
    const ready: Sequence<I, O, S>[] = [];
    for (let slot = 0; slot < this.#options.batchMax; slot++) {
      const owner = this.#options.seats.owner(slot, instance);
      if (owner !== undefined && owner.current === undefined && owner.queue.length > 0)
        ready.push(owner);
    }
    return ready;
  }

  /** When these go, if nobody else comes. */
  #dueMs(ready: readonly Sequence<I, O, S>[]): number {
    const { batchMax, slotUtilizationMin, queueDelayMs } = this.#options;
    if (ready.length >= slotUtilizationMin * batchMax) return -Infinity;
    return Math.min(...ready.map(({ queue }) => queue[0]?.arrivedMs ?? Infinity)) + queueDelayMs;
  }

  async #run(instance: number, ready: readonly Sequence<I, O, S>[]): Promise<void> {
    this.#isBusy[instance] = true;
    this.#batches += 1;
    const slots = (ready.at(-1)?.slot ?? -1) + 1;
    const batch = Array.from({ length: slots }, (_, slot): Step<I, S> => idleStep(slot));
    const requests = ready.map((sequence) => {
      const request = sequence.queue.shift() as SequenceRequest<I, O, S>;
      sequence.current = request;
      batch[sequence.slot] = request;
      return request;
    });
    const results = await resultsOf(() => {
      for (const request of requests) this.#options.desk.launch(request);
      return this.#options.execute(batch, instance);
    }, slots);
    this.#isBusy[instance] = false;
    for (const request of requests) {
      const outcome = results instanceof Error ? results : results[request.slot];
      this.#options.desk.returned(request, outcome as O | Error);
    }
    this.#soon.ask();
  }
}

function idleStep(slot: number): IdleStep {
  return { ready: false, start: false, end: false, slot };
}
