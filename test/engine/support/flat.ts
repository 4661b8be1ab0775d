/** Whether something stays as it is, from looks at equal distances. */

/** The middle of the slopes between any two: no single look moves it. @returns per look */
export function slopeOf(values: readonly number[]): number {
  const slopes = values.flatMap((from, at) =>
    values.slice(at + 1).map((to, further) => (to - from) / (further + 1)),
  );
  const sorted = slopes.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** What the last half of looks has grown by. */
export function growthOf(values: readonly number[]): number {
  const last = values.slice(values.length >> 1);
  return slopeOf(last) * Math.max(0, last.length - 1);
}
