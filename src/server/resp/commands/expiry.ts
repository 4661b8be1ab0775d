/** Times to live: RESP says them in seconds or milliseconds, from now or since 1970; the pool in milliseconds from now. */

import type { Arguments } from '../arguments.ts';
import { integerAt } from '../values.ts';

/** Words that come before a time, with what it counts. */
const units: Readonly<Record<string, readonly [unitMs: number, isAbsolute: boolean]>> = {
  ex: [1000, false],
  px: [1, false],
  exat: [1000, true],
  pxat: [1, true],
};

export interface GivenTime {
  /** The number as it was given. */
  readonly amount: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** The time that the word at `index` and the number behind it say; undefined for another word. @throws invalid_argument */
export function expiresAtMs(args: Arguments, index: number, nowMs: number): GivenTime | undefined {
  const unit = units[args.latin1(index).toLowerCase()];
  if (unit === undefined) return undefined;
  const amount = integerAt(args, index + 1);
  const [unitMs, isAbsolute] = unit;
  return { amount, atMs: (isAbsolute ? 0 : nowMs) + amount * unitMs };
}

/** Time to live until then. What is over already lives for the shortest time there is. */
export function ttlFrom(atMs: number | undefined, nowMs: number): number | undefined {
  return atMs === undefined ? undefined : Math.max(1, atMs - nowMs);
}
