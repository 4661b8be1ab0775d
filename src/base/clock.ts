/** Time as the rooms see it; tests give their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** How a thread waits for another. */
export interface Waiter {
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
  /** Stops this thread. */
  pause(ms: number): void;
}

const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

export const systemWaiter: Waiter = {
  nowMs: () => performance.now(),
  pause: (ms) => void Atomics.wait(nobodyWakes, 0, 0, ms),
};
