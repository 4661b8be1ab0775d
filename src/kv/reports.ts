/** How blocks live: histograms of durations in fixed cells, a stamp or two per block, nothing else. */

/** Cells: 0…3 ms one each, then four to a doubling, up to 2^31 ms. */
const cells = 128;

/** Durations in milliseconds, exact to a quarter of a doubling. */
export class DurationHistogram {
  readonly #counts = new Float64Array(cells);

  record(durationMs: number): void {
    const cell = cellOf(durationMs);
    this.#counts[cell] = (this.#counts[cell] as number) + 1;
  }

  get count(): number {
    return this.#counts.reduce((sum, each) => sum + each, 0);
  }

  /** Upper bound of the cell that holds the q-quantile, in ms; 0 when nothing was recorded. */
  quantileMs(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (let cell = 0; cell < cells; cell++) {
      seen += this.#counts[cell] as number;
      if (seen >= rank) return boundOf(cell);
    }
    return 0;
  }

  /** Pairs (upper bound in ms, count) of the cells that are not empty. */
  entries(): [boundMs: number, count: number][] {
    return Array.from(this.#counts, (count, cell): [number, number] => [
      boundOf(cell),
      count,
    ]).filter(([, count]) => count > 0);
  }
}

function cellOf(durationMs: number): number {
  // Clocks are set back at times.
  const word = Math.max(0, durationMs | 0);
  if (word < 4) return word;
  const exponent = 31 - Math.clz32(word);
  return (exponent << 2) + ((word >>> (exponent - 2)) & 3);
}

function boundOf(cell: number): number {
  if (cell < 4) return cell + 1;
  const exponent = cell >> 2;
  return 2 ** exponent + ((cell & 3) + 1) * 2 ** (exponent - 2);
}

/** Stamps are milliseconds modulo 2^32: durations are right up to 24 days. */
export class Reports {
  /** From the last release of an evicted block to its eviction. */
  readonly idleBeforeEvict: DurationHistogram = new DurationHistogram();
  /** From the last release of a block to its next use. */
  readonly reuseGap: DurationHistogram = new DurationHistogram();
  /** From the moment a block could be found to its eviction. */
  readonly lifetime: DurationHistogram = new DurationHistogram();
  /** (stored, released) of each place. */
  readonly #stamps: Int32Array;
  #now = 0;

  constructor(capacity: number) {
    this.#stamps = new Int32Array(2 * capacity);
  }

  /** Set before anything is recorded. */
  at(nowMs: number): void {
    this.#now = nowMs | 0;
  }

  stored(place: number): void {
    this.#stamps[place << 1] = this.#now;
  }

  released(place: number): void {
    this.#stamps[(place << 1) + 1] = this.#now;
  }

  reused(place: number): void {
    this.reuseGap.record(this.#now - (this.#stamps[(place << 1) + 1] as number));
  }

  evicted(place: number): void {
    this.idleBeforeEvict.record(this.#now - (this.#stamps[(place << 1) + 1] as number));
    this.lifetime.record(this.#now - (this.#stamps[place << 1] as number));
  }
}
