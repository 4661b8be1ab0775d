/** What ours is held against: a floor that must hold and a goal. */

import type { Bar } from '../harness/row.ts';
import { baseName } from './names.ts';

interface Limits {
  readonly floor: number;
  readonly goal: number;
}

/** Time per operation over mimalloc's, one worker. */
const houseLimits: Record<string, Limits> = {
  rl_small: { floor: 1.3, goal: 1 },
  rl_medium: { floor: 0.9, goal: 0.75 },
  alignment64: { floor: 0.9, goal: 0.75 },
  fragmentation_mix: { floor: 1.3, goal: 1 },
};

/** Throughput over mimalloc's, more than one worker. */
const throughputLimits: Limits = { floor: 0.8, goal: 1 };

/** How many times faster than what JavaScript programs use. */
const jsLimits: Record<string, number> = {
  'Buffer.allocUnsafe': 5,
  Uint8Array: 40,
  'thi.ng/malloc': 5,
};

/** @param ratioOf median time per operation of ours over that of a subject; undefined where it did not play */
export function houseBars(
  workload: string,
  workers: number,
  ratioOf: (subject: string) => number | undefined,
): Bar[] {
  if (workers > 1) return throughputBars(ratioOf);
  const bars: Bar[] = [];
  const ratio = ratioOf(baseName);
  const limits = houseLimits[workload];
  if (ratio !== undefined && limits !== undefined) {
    bars.push(
      { what: '× mimalloc, floor', value: ratio, limit: limits.floor, direction: 'atMost' },
      { what: '× mimalloc, goal', value: ratio, limit: limits.goal, direction: 'atMost' },
    );
  }
  for (const [subject, limit] of Object.entries(jsLimits)) {
    const other = ratioOf(subject);
    if (other === undefined) continue;
    bars.push({ what: `× faster than ${subject}`, value: 1 / other, limit, direction: 'atLeast' });
  }
  return bars;
}

/** Total throughput over mimalloc's. */
export function throughputBars(ratioOf: (subject: string) => number | undefined): Bar[] {
  const ratio = ratioOf(baseName);
  if (ratio === undefined) return [];
  const { floor, goal } = throughputLimits;
  const value = 1 / ratio;
  return [
    { what: '× throughput of mimalloc, floor', value, limit: floor, direction: 'atLeast' },
    { what: '× throughput of mimalloc, goal', value, limit: goal, direction: 'atLeast' },
  ];
}
