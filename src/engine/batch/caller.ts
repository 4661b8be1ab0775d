/** Who waits for an answer: a promise, and a signal that ends the wait. */

import { CenoteError } from '../../errors.ts';

export class Caller<O> {
  readonly answer: Promise<O>;
  #resolve!: (result: O) => void;
  #reject!: (error: Error) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #gaveUp: () => void;

  /** @param gaveUp the signal says that nobody waits any more; whoever owns the request refuses it then */
  constructor(signal: AbortSignal | undefined, gaveUp: () => void) {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#signal = signal;
    this.#gaveUp = gaveUp;
    signal?.addEventListener('abort', gaveUp, { once: true });
  }

  /** Tells the caller; an Error refuses. */
  settle(outcome: O | Error): void {
    this.#signal?.removeEventListener('abort', this.#gaveUp);
    if (outcome instanceof Error) this.#reject(outcome);
    else this.#resolve(outcome);
  }
}

/** What a caller is told whose signal has been raised. */
export function abortedBy(signal: AbortSignal | undefined): CenoteError {
  return new CenoteError('aborted', 'The caller cancelled this request.', {
    cause: signal?.reason,
  });
}
