/** Statistics over a handful of rounds. */

/** Middle value; mean of the two middle values when their number is even. @throws when empty */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear interpolation between order statistics; `q` in 0…1. @throws when empty or out of range */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('quantile of no values');
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile ${q} is outside 0…1`);
  const sorted = Float64Array.from(values).sort();
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (position - below);
}

/** True when the two differ by at most `tolerance` of the larger. */
export function agree(a: number, b: number, tolerance: number): boolean {
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

/** Half the distance between the quartiles over the median: how much rounds scatter, blind to one outlier. */
export function scatter(values: readonly number[]): number {
  const middle = median(values);
  return middle === 0 ? 0 : (quantile(values, 0.75) - quantile(values, 0.25)) / 2 / middle;
}

/** How many times longer `ours` takes than `theirs`, by medians. */
export function ratioOfMedians(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours) / median(theirs);
}

/**
 * The same of rounds that took turns: the middle one of their ratios. A machine that changes its pace for seconds changes
 * it for both of a round, but not for as many rounds of one as of the other.
 * @throws RangeError when one has other rounds than the other
 */
export function ratioByRounds(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length) {
    throw new RangeError(`${ours.length} rounds against ${theirs.length}`);
  }
  return median(ours.map((value, round) => value / (theirs[round] as number)));
}
