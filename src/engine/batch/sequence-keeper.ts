/** States of sequences, opaque to the batcher: each is begun once and ended once, and is never another's. */

import type { SequenceBatcherStats, SequenceEnd, SequenceStates } from './api.ts';
import type { Sequence } from './sequence.ts';

export class SequenceKeeper<I, O, S> {
  readonly #states: SequenceStates<S> | undefined;
  readonly #ended: Record<SequenceEnd, number> = {
    end: 0,
    restart: 0,
    idle: 0,
    cancelled: 0,
    expired: 0,
    failed: 0,
    closed: 0,
  };
  #begun = 0;
  #endsFailed = 0;

  constructor(states: SequenceStates<S> | undefined) {
    this.#states = states;
  }

  get counts(): Pick<SequenceBatcherStats, 'begun' | 'ended' | 'endsFailed'> {
    return { begun: this.#begun, ended: { ...this.#ended }, endsFailed: this.#endsFailed };
  }

  /** A new state, after the end of the one before. @throws what `states.begin` throws: there is none then */
  begin(sequence: Sequence<I, O, S>): void {
    this.end(sequence, 'restart');
    sequence.state = this.#states?.begin(sequence);
    sequence.hasBegun = true;
    this.#begun += 1;
  }

  /** Nothing of the sequence is with the model. Nothing happens where there is no state. */
  end(sequence: Sequence<I, O, S>, reason: SequenceEnd): void {
    if (!sequence.hasBegun) return;
    const { state } = sequence;
    sequence.hasBegun = false;
    sequence.state = undefined;
    this.#ended[reason] += 1;
    try {
      this.#states?.end(state as S, sequence, reason);
    } catch {
      // The others of this batch are still to be told.
      this.#endsFailed += 1;
    }
  }
}
