/**
 * A rate: credit drips into a bucket that holds a second's worth, and each operation takes some.
 * In thousandths of an operation, so that all of it is whole numbers.
 */

import type { Clock } from '../base/clock.ts';

const secondMs = 1000;
const operationCredit = 1000;

export class TokenBucket {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #credit: number;
  #filledAtMs: number;

  /** @param perSecond from 0 (which lets nothing pass); it begins full */
  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#credit = perSecond * operationCredit;
    this.#filledAtMs = clock.nowMs();
  }

  /** Takes what one operation costs. @returns 0, or the milliseconds until there is enough (of a rate of 0: Infinity) */
  take(): number {
    this.#fill();
    if (this.#credit >= operationCredit) {
      this.#credit -= operationCredit;
      return 0;
    }
    return Math.ceil((operationCredit - this.#credit) / this.#perSecond);
  }

  #fill(): void {
    const nowMs = Math.floor(this.#clock.nowMs());
    // Time may have been set back: that gives nothing, and takes nothing. More than a second gives no more than one.
    const passedMs = Math.min(Math.max(0, nowMs - this.#filledAtMs), secondMs);
    this.#filledAtMs = nowMs;
    this.#credit = Math.min(
      this.#perSecond * operationCredit,
      this.#credit + passedMs * this.#perSecond,
    );
  }
}
