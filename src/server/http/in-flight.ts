/** Bound on the bytes of all bodies that are being received at once. */

import { fail } from '../../errors.ts';

export class InFlight {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A share that starts with `sizeBytes`. Close it on every path. @throws overloaded */
  open(sizeBytes: number): InFlightShare {
    const share = new InFlightShare(this);
    share.grow(sizeBytes);
    return share;
  }

  /** @throws overloaded */
  take(sizeBytes: number): void {
    if (this.#usedBytes + sizeBytes > this.#maxBytes) {
      fail(
        'overloaded',
        `Bodies being received hold ${this.#usedBytes} of ${this.#maxBytes} bytes; ${sizeBytes} more do not fit.`,
      );
    }
    this.#usedBytes += sizeBytes;
  }

  give(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
  }
}

export class InFlightShare {
  readonly #whole: InFlight;
  #sizeBytes = 0;

  constructor(whole: InFlight) {
    this.#whole = whole;
  }

  /** @throws overloaded */
  grow(sizeBytes: number): void {
    this.#whole.take(sizeBytes);
    this.#sizeBytes += sizeBytes;
  }

  /** Idempotent. */
  close(): void {
    this.#whole.give(this.#sizeBytes);
    this.#sizeBytes = 0;
  }
}
