import { CenoteError } from '../errors.ts';

/** Refused because of its rate: a wire can tell when to come again. */
export class Throttled extends CenoteError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('rate_limited', message);
    this.retryAfterMs = retryAfterMs;
  }
}
