/** Signals that ask a command to stop: the first asks, the second insists. */

import { exitInterrupted } from './command.ts';

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
export function listenForStop(onFirst: (name: NodeJS.Signals) => void): Stop {
  const controller = new AbortController();
  const listener = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(exitInterrupted);
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
