/** Ages since a block was last used, in seconds, in buckets that grow with the age; and phases, which are runs of buckets. */

const edgesS: readonly number[] = [
  0, 1, 2, 4, 6, 9, 13, 20, 30, 45, 65, 95, 140, 200, 300, 450, 650, 1000, 1500, 2300, 3500, 5200,
  8000, 12_000, 18_000, 27_000, 40_000, 60_000, 100_000, 345_600,
];

export const ageBuckets = 29;
export const phases = 16;

/** Where bucket j begins; `ageEdges[ageBuckets]` is where the last one ends. */
export const ageEdges: Float64Array = Float64Array.from(edgesS);

export const ageWidths: Float64Array = Float64Array.from(
  { length: ageBuckets },
  (_, bucket) => (edgesS[bucket + 1] as number) - (edgesS[bucket] as number),
);

/** Phase of each bucket. */
export const phaseOf: Uint8Array = Uint8Array.from({ length: ageBuckets }, (_, bucket) =>
  Math.floor((phases * bucket) / ageBuckets),
);

/** The bucket that an age falls into; what is older falls into the last. */
export function bucketOf(ageS: number): number {
  let low = 0;
  let high = ageBuckets - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ageEdges[middle] as number) <= ageS) low = middle;
    else high = middle - 1;
  }
  return low;
}
