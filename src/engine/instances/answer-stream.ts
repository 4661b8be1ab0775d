/** A running request as its caller has it: tokens as they come, and the result. */

import type { CenoteError } from '../../errors.ts';
import type { GeneratedToken, Generation, GenerationResult } from '../api.ts';

export class AnswerStream implements Generation {
  readonly result: Promise<GenerationResult>;
  readonly #left: () => void;
  /** Not yet taken: at most as many as the request may make. */
  readonly #tokens: GeneratedToken[] = [];
  #resolve!: (result: GenerationResult) => void;
  #reject!: (error: CenoteError) => void;
  #error: CenoteError | undefined;
  #isOver = false;
  #wake: () => void = () => undefined;

  /** @param left called when the caller leaves the loop before its end */
  constructor(left: () => void) {
    this.#left = left;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever only iterates gets the error there.
    this.result.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  push(token: GeneratedToken): void {
    if (this.#isOver) return;
    this.#tokens.push(token);
    this.#wake();
  }

  finish(result: GenerationResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resolve(result);
    this.#wake();
  }

  fail(error: CenoteError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#reject(error);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void, undefined> {
    try {
      for (;;) {
        const token = this.#tokens.shift();
        if (token !== undefined) yield token;
        else if (this.#error !== undefined) throw this.#error;
        else if (this.#isOver) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      if (!this.#isOver) this.#left();
    }
  }
}
