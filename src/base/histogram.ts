/**
 * Durations in a preallocated log-linear histogram: recording allocates nothing.
 *
 * ```
 * value 0…63           one cell each
 * value 2^e…2^(e+1)−1  64 cells of 2^(e−6) each, e = 6…30
 * ```
 * A quantile is therefore exact to 1/64 (1.6 %).
 */

const subShift = 6;
const subCells = 1 << subShift;
const valueMax = 0x7fffffff;
const cellCount = subCells + (31 - subShift) * subCells;

export class Histogram {
  readonly #cells = new Float64Array(cellCount);
  #count = 0;
  #max = 0;

  /** Records one duration in whole units; above 2^31 − 1 it counts as that. */
  record(value: number): void {
    const whole = value >= valueMax ? valueMax : value <= 0 ? 0 : value | 0;
    const cell = cellOf(whole);
    this.#cells[cell] = (this.#cells[cell] as number) + 1;
    this.#count += 1;
    if (whole > this.#max) this.#max = whole;
  }

  get count(): number {
    return this.#count;
  }

  get max(): number {
    return this.#max;
  }

  /** Middle of the cell that holds the q-quantile; 0 when nothing was recorded. */
  quantile(q: number): number {
    if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile ${q} is outside 0…1`);
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let seen = 0;
    for (let cell = 0; cell < cellCount; cell += 1) {
      seen += this.#cells[cell] as number;
      if (this.#count > 0 && seen >= rank) return Math.min(middleOf(cell), this.#max);
    }
    return 0;
  }

  clear(): void {
    this.#cells.fill(0);
    this.#count = 0;
    this.#max = 0;
  }
}

function cellOf(value: number): number {
  if (value < subCells) return value;
  const exponent = 31 - Math.clz32(value);
  const sub = (value >>> (exponent - subShift)) & (subCells - 1);
  return (exponent - subShift + 1) * subCells + sub;
}

function middleOf(cell: number): number {
  if (cell < subCells) return cell;
  const exponent = Math.floor(cell / subCells) - 1 + subShift;
  const width = 2 ** (exponent - subShift);
  return 2 ** exponent + (cell % subCells) * width + (width - 1) / 2;
}
