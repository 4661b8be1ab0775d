/** The house workloads: sizes, slots, and how full memory is held. */

export interface SizeRange {
  readonly lowBytes: number;
  /** Included. */
  readonly highBytes: number;
  /** Of a hundred. */
  readonly weight: number;
}

export interface HouseWorkload {
  readonly name: string;
  /** Drawn by weight where there is more than one. */
  readonly ranges: readonly SizeRange[];
  /** Per worker. */
  readonly slots: number;
  readonly aligned: boolean;
}

const kib = 2 ** 10;
const mib = 2 ** 20;

function uniform(lowBytes: number, highBytes: number): readonly SizeRange[] {
  return [{ lowBytes, highBytes, weight: 100 }];
}

export const houseWorkloads: readonly HouseWorkload[] = [
  { name: 'rl_small', ranges: uniform(16, 512), slots: 20_000, aligned: false },
  { name: 'rl_medium', ranges: uniform(128, 4096), slots: 8000, aligned: false },
  {
    name: 'fragmentation_mix',
    ranges: [
      { lowBytes: 16, highBytes: 256, weight: 60 },
      { lowBytes: 256, highBytes: 4 * kib, weight: 25 },
      { lowBytes: 4 * kib, highBytes: 64 * kib, weight: 12 },
      { lowBytes: 64 * kib, highBytes: mib, weight: 3 },
    ],
    slots: 4000,
    aligned: false,
  },
  { name: 'alignment64', ranges: uniform(64, 4096), slots: 8000, aligned: true },
];

export function meanBytes(ranges: readonly SizeRange[]): number {
  return ranges.reduce(
    (sum, { lowBytes, highBytes, weight }) => sum + ((lowBytes + highBytes) / 2) * (weight / 100),
    0,
  );
}

/** What a house is built from, for the native program and for ours alike. */
export interface HouseOptions {
  readonly ranges: readonly SizeRange[];
  readonly slots: number;
  readonly aligned: boolean;
  /** Live bytes, counted in lines of 64, are held below this; 0 is no bound. */
  readonly targetBytes: number;
  /** Operations between two rests; 0 is no rest. */
  readonly burst: number;
}

/** Share of its slots that a house with a bound on live bytes keeps full, of a hundred. */
export const boundedFillPercent = 40;

/** As many slots as are filled to `boundedFillPercent` when live bytes are at their bound. */
export function boundedSlots(ranges: readonly SizeRange[], targetBytes: number): number {
  return Math.ceil((targetBytes / meanBytes(ranges)) * (100 / boundedFillPercent));
}
