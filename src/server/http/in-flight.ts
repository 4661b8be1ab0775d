/** What requests hold while they run: of their caller's quotas, and of the bound on the bytes of all bodies. */

import { fail } from '../../errors.ts';
import type { Caller } from '../../guard/api.ts';

/** Bound on the bytes of all bodies that are being received at once. */
export class InFlight {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
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

/** One operation of a caller, with what it holds until its answer is sent. */
export class Reservation {
  readonly #caller: Caller;
  readonly #whole: InFlight;
  #bodyBytes = 0;
  #sizeBytes = 0;
  #open = true;

  /** @throws rate_limited, budget_exceeded: nothing is reserved then */
  constructor(caller: Caller, whole: InFlight) {
    this.#caller = caller;
    this.#whole = whole;
    caller.begin(0);
  }

  /** @throws unauthorized when the key was revoked, or its tenant removed, since the operation began */
  checkCaller(): void {
    if (!this.#caller.isValid) fail('unauthorized', 'The key was revoked.');
  }

  /** Bytes of a body that is being received. @throws overloaded, budget_exceeded */
  growBody(sizeBytes: number): void {
    this.#whole.take(sizeBytes);
    this.#bodyBytes += sizeBytes;
    this.growLeases(sizeBytes);
  }

  /** Bytes of leases that wait to be sent. @throws budget_exceeded */
  growLeases(sizeBytes: number): void {
    this.#caller.grow(sizeBytes);
    this.#sizeBytes += sizeBytes;
  }

  /** Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#whole.give(this.#bodyBytes);
    this.#caller.end(this.#sizeBytes);
  }
}
