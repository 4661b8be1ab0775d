/** From when on nothing more is taken in, and who waits until what was taken in is over. */

import { CenoteError } from '../../errors.ts';

export class Closing {
  /** What whoever comes now is told. */
  refusal: CenoteError | undefined;
  readonly #waiting: (() => void)[] = [];

  get isClosed(): boolean {
    return this.refusal?.code === 'engine_closed';
  }

  /** Nothing more is taken in. Resolves with the next `over`. */
  drain(): Promise<void> {
    this.refusal ??= new CenoteError('shutting_down', 'The batcher takes in no more.');
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** @returns what everybody is told who is still here */
  close(): CenoteError {
    this.refusal = new CenoteError('engine_closed', 'The batcher has been closed.');
    return this.refusal;
  }

  /** Nothing is left of what was taken in. */
  over(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
