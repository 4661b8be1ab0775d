/** Reads a pool again and again, and knows what changed between two readings. */

import type { Clock } from '../../base/clock.ts';
import type { Pool, PoolStats } from '../../pool/api.ts';
import { openPool } from '../../pool/open.ts';
import { ratesBetween } from './rates.ts';
import type { InspectView } from './render.ts';

/** Rates kept for the sparkline. */
const historyMax = 240;

export class Watcher {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #history: number[] = [];
  /** Stays open until the next reading, so that its memory map can be drawn again in another size. */
  #pool: Pool | undefined;
  #last: { readonly stats: PoolStats; readonly atMs: number } | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Opens the pool anew, which sees segments that were added or dropped since. */
  async read(): Promise<InspectView> {
    await this.close();
    const pool = await openPool({ path: this.#path, readOnly: true });
    this.#pool = pool;
    const stats = pool.stats();
    const atMs = this.#clock.nowMs();
    const rates =
      this.#last === undefined
        ? undefined
        : ratesBetween(this.#last.stats, stats, atMs - this.#last.atMs);
    this.#last = { stats, atMs };
    if (rates !== undefined) this.#history.push(rates.gets + rates.puts + rates.appends);
    if (this.#history.length > historyMax) this.#history.shift();
    const map = (cells: number): ReturnType<Pool['memoryMap']> => pool.memoryMap(cells);
    return { path: this.#path, stats, map, rates, history: this.#history, status: '' };
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.close();
  }
}
