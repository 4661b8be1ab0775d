/** Time that stands still until a test moves it. */

import type { Timers } from '../../../src/base/timers.ts';

export class ManualTime implements Timers {
  #nowMs = 0;
  readonly #alarms = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  #soon: (() => void)[] = [];
  /** How often somebody was woken. */
  wakes = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** When somebody wants to be woken next. */
  get nextMs(): number {
    return Math.min(...[...this.#alarms].map(({ atMs }) => atMs));
  }

  wakeAt(atMs: number, wake: () => void): () => void {
    const alarm = { atMs, wake };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Lets all happen that happens without time passing. */
  async settle(): Promise<void> {
    for (;;) {
      // All promises that can, go on first: setImmediate comes after them.
      await new Promise((resolve) => setImmediate(resolve));
      const runs = this.#soon;
      if (runs.length === 0) return;
      this.#soon = [];
      for (const run of runs) run();
    }
  }

  /** Time passes; who is to be woken is woken at his time. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.settle();
    while (this.nextMs <= untilMs) {
      this.#nowMs = Math.max(this.#nowMs, this.nextMs);
      for (const alarm of this.#alarms) {
        if (alarm.atMs > this.#nowMs) continue;
        this.#alarms.delete(alarm);
        this.wakes += 1;
        alarm.wake();
      }
      await this.settle();
    }
    this.#nowMs = untilMs;
    await this.settle();
  }
}
