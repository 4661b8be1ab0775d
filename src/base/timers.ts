import type { Clock } from './clock.ts';

/** Time that one can wait for; tests give their own. */
export interface Timers extends Clock {
  /**
   * Calls `wake` once, when it is `atMs` of this clock, or somewhat later.
   * @returns takes it back
   */
  wakeAt(atMs: number, wake: () => void): () => void;
  /** Calls `run` once, after all that has come in by then has been seen. */
  soon(run: () => void): void;
}

/** The longest that Node's timers wait; who is woken before his time asks again. */
const waitMaxMs = 2 ** 31 - 1;

/** Since 1970 as any clock, but this one never goes back. `soon` is after the events of this turn of the event loop. */
export const systemTimers: Timers = {
  nowMs: () => performance.timeOrigin + performance.now(),
  wakeAt(atMs, wake) {
    const waitMs = Math.ceil(atMs - systemTimers.nowMs());
    const timer = setTimeout(wake, Math.min(Math.max(waitMs, 0), waitMaxMs));
    return () => clearTimeout(timer);
  },
  soon: (run) => void setImmediate(run),
};

/** Something that is done soon, once however often it is asked for until then. */
export class Soon {
  readonly #timers: Timers;
  readonly #run: () => void;
  #isAsked = false;

  constructor(timers: Timers, run: () => void) {
    this.#timers = timers;
    this.#run = run;
  }

  readonly ask = (): void => {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#timers.soon(() => {
      this.#isAsked = false;
      this.#run();
    });
  };
}

/** One time to be woken at, which may be changed. */
export class Alarm {
  readonly #timers: Timers;
  readonly #wake: () => void;
  #atMs = Infinity;
  #takeBack: (() => void) | undefined;

  constructor(timers: Timers, wake: () => void) {
    this.#timers = timers;
    this.#wake = wake;
  }

  /** Instead of the time that was set before; Infinity: never. */
  set(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.#takeBack?.();
    this.#atMs = atMs;
    this.#takeBack = atMs === Infinity ? undefined : this.#timers.wakeAt(atMs, this.#ring);
  }

  readonly #ring = (): void => {
    this.#atMs = Infinity;
    this.#takeBack = undefined;
    this.#wake();
  };
}
