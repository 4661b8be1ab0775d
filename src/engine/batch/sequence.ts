/** A sequence of requests with one state, and its requests. */

import type { ReadyStep, SequenceEnd, SequenceId, SequenceSubmit } from './api.ts';
import { LineRequest } from './batch-line.ts';
import { Caller } from './caller.ts';
import type { Due } from './due-heap.ts';
import type { Fair, Lane } from './fair-queue.ts';
import { noSeat } from './seats.ts';

/** What becomes of requests, told by whoever runs them. */
export interface Desk<I, O, S> {
  /** The model is about to see it. */
  launch(request: SequenceRequest<I, O, S>): void;
  /** The model has answered, with an Error or without. */
  returned(request: SequenceRequest<I, O, S>, outcome: O | Error): void;
}

/** When a request falls due: while its sequence has no slot by its timeout, always by its deadline. */
export interface Limit<R> extends Due {
  readonly request: R;
}

export class SequenceRequest<I, O, S>
  extends LineRequest<SequenceRequest<I, O, S>>
  implements ReadyStep<I, S>
{
  readonly ready = true;
  readonly cost: number = 1;
  readonly sequence: Sequence<I, O, S>;
  readonly input: I;
  readonly start: boolean;
  readonly end: boolean;
  readonly caller: Caller<O>;
  readonly limit: Limit<SequenceRequest<I, O, S>>;
  /** Time of the clock. */
  readonly backlogDueMs: number;
  readonly finalDueMs: number;
  /** Set when the model is about to see it. */
  state!: S;
  /** The state that it begins with is there. */
  hasBegun = false;
  /** With the model. */
  isLaunched = false;
  /** The caller has his answer. */
  isTold = false;
  readonly #desk: Desk<I, O, S>;

  constructor(
    sequence: Sequence<I, O, S>,
    input: I,
    flags: SequenceSubmit,
    due: { readonly backlogMs: number; readonly finalMs: number },
    desk: Desk<I, O, S>,
    gaveUp: (request: SequenceRequest<I, O, S>) => void,
  ) {
    super();
    this.sequence = sequence;
    this.input = input;
    this.start = flags.start ?? false;
    this.end = flags.end ?? false;
    this.backlogDueMs = due.backlogMs;
    this.finalDueMs = due.finalMs;
    this.limit = { request: this, dueMs: Infinity, dueTurn: 0, heapIndex: -1 };
    this.caller = new Caller(flags.signal, () => gaveUp(this));
    this.#desk = desk;
  }

  get tenant(): string {
    return this.sequence.tenant;
  }

  get id(): SequenceId {
    return this.sequence.id;
  }

  get slot(): number {
    return this.sequence.slot;
  }

  get cancelled(): boolean {
    return this.isTold;
  }

  /** Out of a line: either the model has answered, or it was taken back, and is no longer the sequence's current one. */
  override settle(): void {
    if (this.sequence.current === this) this.#desk.returned(this, this.outcome as O | Error);
  }
}

export class Sequence<I, O, S> implements Fair<Sequence<I, O, S>>, Due {
  readonly key: string;
  readonly id: SequenceId;
  readonly tenant: string;
  readonly cost: number = 1;
  /** Not given to the model or its line yet. */
  readonly queue: SequenceRequest<I, O, S>[] = [];
  /** With the model, or in the line before it. */
  current: SequenceRequest<I, O, S> | undefined;
  seat: number = noSeat;
  slot: number = noSeat;
  instance: number = noSeat;
  /** It has a state. */
  hasBegun = false;
  state: S | undefined;
  lastArrivalMs = 0;
  /** It is to leave when nothing of it is with the model. */
  ending: SequenceEnd | undefined;
  lane: Lane<Sequence<I, O, S>> | undefined;
  before: Sequence<I, O, S> | undefined;
  after: Sequence<I, O, S> | undefined;
  dueMs: number = Infinity;
  dueTurn = 0;
  heapIndex: number = -1;

  constructor(key: string, id: SequenceId, tenant: string) {
    this.key = key;
    this.id = id;
    this.tenant = tenant;
  }
}
