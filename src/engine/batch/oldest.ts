/** The oldest strategy: of each candidate the next request stands in the line of its instance, and batches are made as the dynamic batcher makes them. */

import type { Timers } from '../../base/timers.ts';
import { CenoteError } from '../../errors.ts';
import type { Execute, Step } from './api.ts';
import { BatchLine } from './batch-line.ts';
import { policiesFrom, type Shape } from './bounds.ts';
import { PolicyQueue } from './policy-queue.ts';
import type { Desk, Sequence, SequenceRequest } from './sequence.ts';

export interface OldestOptions<I, O, S> {
  readonly execute: Execute<Step<I, S>, O>;
  readonly shape: Shape;
  readonly instances: number;
  readonly candidatesMax: number;
  readonly preserveOrdering: boolean;
  readonly desk: Desk<I, O, S>;
  readonly timers: Timers;
}

export class Oldest<I, O, S> {
  readonly #lines: readonly BatchLine<SequenceRequest<I, O, S>, O>[];

  constructor(options: OldestOptions<I, O, S>) {
    const { candidatesMax, shape, preserveOrdering, timers } = options;
    this.#lines = Array.from({ length: options.instances }, (_, instance) => {
      // Each candidate has one request there, or one answer that is held: the line is never full.
      const policies = policiesFrom(1, { queueMax: candidatesMax });
      return new BatchLine({
        execute: (batch) => {
          for (const request of batch) options.desk.launch(request);
          return options.execute(batch, instance);
        },
        queue: new PolicyQueue<SequenceRequest<I, O, S>>(policies, 1),
        shape,
        instances: 1,
        preserveOrdering,
        timers,
      });
    });
  }

  get batches(): number {
    return this.#lines.reduce((sum, line) => sum + line.stats().batches, 0);
  }

  /** Its next request may go. */
  offer(sequence: Sequence<I, O, S>): void {
    sequence.current = sequence.queue.shift();
    if (sequence.current !== undefined) this.#lines[sequence.instance]?.push(sequence.current);
  }

  /** What has not begun goes back to the sequence. */
  withdraw(sequence: Sequence<I, O, S>): void {
    const request = sequence.current;
    if (request === undefined || request.isLaunched) return;
    sequence.current = undefined;
    sequence.queue.unshift(request);
    this.#lines[sequence.instance]?.cancel(request, takenBack);
  }
}

/** Nobody is told. */
const takenBack = new CenoteError('aborted', 'The request was taken back from the line.');
