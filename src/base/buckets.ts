/** Values counted by size in a few buckets, as metrics pages tell them; bounds are chosen once, so that the counts of several add up. */

/** What was counted. */
export interface Spread {
  /** Upper bounds, included; ascending. */
  readonly bounds: readonly number[];
  /** How many values are in each bucket alone; one bucket more than bounds, for what is above the last. */
  readonly counts: readonly number[];
  /** Of all values. */
  readonly sum: number;
}

export class Buckets {
  readonly bounds: readonly number[];
  /** A cell per bucket, then the sum. */
  readonly #cells: Float64Array;

  /** @param cells as many as `cellsOf` says */
  constructor(
    bounds: readonly number[],
    cells: Float64Array = new Float64Array(Buckets.cellsOf(bounds)),
  ) {
    this.bounds = bounds;
    this.#cells = cells;
  }

  static cellsOf(bounds: readonly number[]): number {
    return bounds.length + 2;
  }

  record(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    this.#cells[bucket] = (this.#cells[bucket] as number) + 1;
    const sumAt = bounds.length + 1;
    this.#cells[sumAt] = (this.#cells[sumAt] as number) + value;
  }

  read(): Spread {
    const { bounds } = this;
    const counts = Array.from(this.#cells.subarray(0, bounds.length + 1));
    return { bounds, counts, sum: this.#cells[bounds.length + 1] as number };
  }
}

/** Of the same bounds. */
export function sumSpreads(all: readonly Spread[]): Spread {
  const [first] = all as readonly [Spread];
  return {
    bounds: first.bounds,
    counts: first.counts.map((_, at) =>
      all.reduce((sum, { counts }) => sum + (counts[at] as number), 0),
    ),
    sum: all.reduce((total, { sum }) => total + sum, 0),
  };
}
