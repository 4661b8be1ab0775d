/** A rate: tokens drip into a bucket that holds a second's worth, and each operation takes one. */

import type { Clock } from '../base/clock.ts';

const secondMs = 1000;

export class TokenBucket {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAtMs: number;

  /** @param perSecond from 0 (which lets nothing pass); it begins full */
  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#tokens = perSecond;
    this.#filledAtMs = clock.nowMs();
  }

  /** Takes a token. @returns 0, or the milliseconds until there is one (of a rate of 0: Infinity) */
  take(): number {
    this.#fill();
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) * secondMs) / this.#perSecond);
  }

  #fill(): void {
    const nowMs = this.#clock.nowMs();
    // Time may have been set back: that gives nothing, and takes nothing.
    const passedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(
      this.#perSecond,
      this.#tokens + (passedMs * this.#perSecond) / secondMs,
    );
  }
}
