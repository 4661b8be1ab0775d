/** Waiting that takes no time: pauses move a clock that only they move. */

import type { LockWait } from '../../../src/memory/lock.ts';

export interface PlayedWait {
  readonly wait: LockWait;
  /** What was asked for, in order. */
  readonly log: readonly string[];
  readonly pauses: readonly number[];
  readonly now: () => number;
}

interface Script {
  readonly waitMs?: number;
  /** What others do during the n-th pause, from 1. */
  readonly onPause?: (n: number) => void;
  readonly lives?: (token: number) => boolean;
}

/** More pauses than any wait of a test has. */
const pausesMax = 10_000;

export function playedWait(script: Script = {}): PlayedWait {
  const log: string[] = [];
  const pauses: number[] = [];
  let nowMs = 0;
  const wait: LockWait = {
    waitMs: script.waitMs ?? 1000,
    nowMs() {
      log.push('now');
      return nowMs;
    },
    pause(ms) {
      if (pauses.push(ms) > pausesMax) throw new Error('it waits for ever');
      nowMs += ms;
      script.onPause?.(pauses.length);
    },
    lives(token) {
      log.push(`lives ${token}`);
      return script.lives?.(token) ?? true;
    },
  };
  return { wait, log, pauses, now: () => nowMs };
}
