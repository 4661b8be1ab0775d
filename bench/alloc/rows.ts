/** Rows of the suite `alloc`. */

import { Histogram } from '../../src/base/histogram.ts';
import {
  type Bar,
  quantilesOf,
  type Row,
  type RowExtras,
  type SizeQuantiles,
  toRow,
} from '../harness/row.ts';
import { ratioByRounds } from '../harness/stats.ts';
import type { Latencies } from './house.ts';
import { memoryOf } from './memory.ts';
import { baseName } from './names.ts';
import type { MemoryRun, Play } from './player.ts';
import type { Played } from './turns.ts';

export interface AllocResult {
  readonly workload: string;
  readonly play: Play;
  readonly one: Played;
  readonly played: readonly Played[];
  readonly latency?: Latencies | undefined;
  readonly memory?: MemoryRun | undefined;
  readonly bars: readonly Bar[];
  readonly note?: string;
}

/** Median time per operation of one over that of another; undefined where either did not play. */
export function ratioBetween(
  played: readonly Played[],
  name: string,
  other: string,
): number | undefined {
  const roundsOf = (who: string): readonly number[] | undefined =>
    played.find((it) => it.name === who)?.roundsNs;
  const [ours, theirs] = [roundsOf(name), roundsOf(other)];
  return ours === undefined || theirs === undefined ? undefined : ratioByRounds(ours, theirs);
}

function histogramOf(lists: readonly (readonly number[])[]): Histogram {
  const histogram = new Histogram();
  for (const list of lists) {
    for (const value of list) histogram.record(value);
  }
  return histogram;
}

function latencyExtras({ allocate, free, batch }: Latencies, play: Play): RowExtras {
  const of = (lists: readonly (readonly number[])[]): ReturnType<typeof quantilesOf> =>
    quantilesOf(histogramOf(lists), batch);
  const sizes = play.ranges.map(({ lowBytes, highBytes }, range): SizeQuantiles => ({
    lowBytes,
    highBytes,
    allocate: of([allocate[range] ?? []]),
    free: of([free[range] ?? []]),
  }));
  return { allocate: of(allocate), free: of(free), ...(sizes.length > 1 ? { sizes } : {}) };
}

/** Where only rounds were timed, their quantiles stand in: histograms hold whole numbers, so as if of so many operations. */
const roundScale = 64;

export function toAllocRow(result: AllocResult): Row {
  const { one, latency, memory, play } = result;
  const batch = latency?.batch ?? roundScale;
  const histogram = histogramOf(
    latency === undefined
      ? [one.roundsNs.map((ns) => ns * roundScale)]
      : [...latency.allocate, ...latency.free],
  );
  const notes = [
    result.note,
    one.filled ? undefined : 'its table was not full yet: filling it took too long',
    memory === undefined ? undefined : `reserved: ${memory.how}`,
    one.failures + (memory?.failures ?? 0) === 0
      ? undefined
      : `${one.failures + (memory?.failures ?? 0)} allocations found no memory`,
  ].filter((it) => it !== undefined);
  return toRow(
    'alloc',
    result.workload,
    { ...one, batch, histogram },
    {
      workers: play.workers,
      bars: result.bars,
      ratioToMimalloc: ratioBetween(result.played, one.name, baseName),
      ...(latency === undefined ? {} : latencyExtras(latency, play)),
      ...(memory === undefined ? {} : { memory: memoryOf(memory), samples: memory.samples }),
      ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
    },
  );
}
