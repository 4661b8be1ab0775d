/** Signals that ask a command to stop: the first asks, the second insists. */

import { systemClock, type Clock } from '../base/clock.ts';
import { exitInterrupted } from './command.ts';

/**
 * A second signal within this time is the first once more: Ctrl-C under `npm start` comes from the terminal and from npm, which
 * passes on what it gets.
 */
const echoMs = 500;

export interface Stop {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Asks to stop as a signal would: for a key in a terminal in raw mode. */
  readonly request: () => void;
  /** Gives the signals back to Node's own behaviour. */
  [Symbol.dispose](): void;
}

/**
 * Listens for SIGINT and SIGTERM until disposed. A second signal ends the process at once, whatever it is doing.
 * `onFirst` is told which signal came.
 */
export function listenForStop(
  onFirst: (name: NodeJS.Signals) => void,
  clock: Clock = systemClock,
): Stop {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const listener = (name: NodeJS.Signals): void => {
    const nowMs = clock.nowMs();
    if (firstMs !== undefined) {
      if (nowMs - firstMs >= echoMs) process.exit(exitInterrupted);
      return;
    }
    firstMs = nowMs;
    controller.abort();
    onFirst(name);
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return {
    signal: controller.signal,
    request: () => controller.abort(),
    [Symbol.dispose]() {
      process.off('SIGINT', listener);
      process.off('SIGTERM', listener);
    },
  };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
