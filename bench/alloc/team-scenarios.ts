/** Published workloads of several threads, from their parameters: what is allocated by one is freed by another. */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bar, Memory, Row } from '../harness/row.ts';
import { median } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { throughputBars } from './bars.ts';
import { castOf, freshly, type Member } from './cast.ts';
import { type HeapOptions, heapNames } from './heaps/heap.ts';
import { oursName } from './names.ts';
import { emptyPlay, type Play, type Player } from './player.ts';
import { ratioBetween, toAllocRow } from './rows.ts';
import { type Played, playTogether, type TurnsPlan } from './turns.ts';

const mib = 2 ** 20;

function planOf(operations: number, fillOperations: number, { quick, log }: Context): TurnsPlan {
  return {
    operations: quick ? Math.ceil(operations / 20) : operations,
    rounds: quick ? 3 : 15,
    warmupRoundsMax: quick ? 1 : 12,
    roundMsMax: quick ? 50 : 500,
    fillOperations,
    fillMsMax: quick ? 200 : 2000,
    log,
  };
}

/** Ours and the native peers; larson by one worker also what cannot cross threads. */
function cast(play: Play, capacityBytes: number, context: Context): Member[] {
  const alone = play.program === 'larson' && play.workers === 1;
  const names = alone
    ? heapNames.filter((name) => name !== 'thi.ng/malloc')
    : ([oursName] as const);
  const heapFor = (): HeapOptions => ({ capacityBytes, aligned: false });
  const members = castOf(names, heapFor, context);
  const isPlayed = ({ name }: Member): boolean =>
    play.program === 'larson' || name !== 'native void';
  return members.filter(isPlayed);
}

function rowsOf(
  workload: string,
  play: Play,
  played: readonly Played[],
  bars: readonly Bar[],
): Row[] {
  return played.map((one) =>
    toAllocRow({ workload, play, one, played, bars: one.name === oursName ? bars : [] }),
  );
}

function throughputOf(played: readonly Played[]): Bar[] {
  return throughputBars((other) => ratioBetween(played, oursName, other));
}

const larson: Scenario = {
  name: 'larson',
  async run(context) {
    const play: Play = {
      ...emptyPlay,
      program: 'larson',
      workers: context.workers,
      slots: 5000,
      ranges: [{ lowBytes: 8, highBytes: 999, weight: 100 }],
    };
    const members = cast(play, 64 * mib * context.workers, context);
    const played = await playTogether(members, play, planOf(500_000, 50_000, context));
    const bars = context.workers > 1 ? throughputOf(played) : [];
    return rowsOf('larson', play, played, bars);
  },
};

/** @param b bytes of a block; 0 draws 8, 16 … 2048 */
function xmalloc(name: string, b: number): Scenario {
  return {
    name,
    async run(context) {
      const pairs = Math.ceil(context.workers / 2);
      const numbers = { workers: 2 * pairs, slots: 4096, a: 100 * pairs, b };
      const play: Play = { ...emptyPlay, program: 'xmalloc', ...numbers };
      const members = cast(play, 1024 * mib, context);
      const played = await playTogether(members, play, planOf(2_000_000, 500_000, context));
      return rowsOf(name, play, played, throughputOf(played));
    },
  };
}

/** Of what P workers without a shared line would reach. */
const scalingFloor = 0.8;

const cacheScratch: Scenario = {
  name: 'cache-scratch',
  async run(context) {
    const rows: Row[] = [];
    let aloneNs = 0;
    for (const workers of [1, Math.max(2, context.workers)]) {
      const play: Play = { ...emptyPlay, program: 'scratch', workers, a: 2_000_000 };
      const members = cast(play, 64 * mib, context);
      const plan = { ...planOf(100, 0, context), operationsMin: 1 };
      const played = await playTogether(members, play, plan);
      const ours = median(played[0]?.roundsNs ?? [0]);
      const what = '× of what workers without shared lines reach';
      const value = aloneNs / ours / workers;
      const bar: Bar = { what, value, limit: scalingFloor, direction: 'atLeast' };
      rows.push(...rowsOf(`cache-scratch-${workers}`, play, played, workers === 1 ? [] : [bar]));
      aloneNs = ours;
    }
    return rows;
  },
};

const peakLimit = 1.25;

const freeOnly: Scenario = {
  name: 'free-only',
  async run(context) {
    const producers = context.quick ? 4 : 16;
    const play: Play = {
      ...emptyPlay,
      program: 'free-only',
      workers: producers + 1,
      slots: context.quick ? 4000 : 40_960,
      a: 64,
      b: 64,
      c: 592,
    };
    const folder = mkdtempSync(join(context.folder, 'free-only-'));
    try {
      const heapFor = (): HeapOptions => ({ capacityBytes: 1024 * mib, aligned: false, folder });
      const members = castOf([oursName], heapFor, context);
      const rows: Row[] = [];
      for (const member of members.filter(({ name }) => name !== 'native void')) {
        rows.push(await freshly(member, play, (player) => watchPeak(player, play, context)));
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Rounds for as long as the plan says, with a look at memory after each. */
async function watchPeak(player: Player, play: Play, context: Context): Promise<Row> {
  const liveBytes = (play.workers - 1) * play.slots * play.c;
  const amount = context.quick ? 6400 : 64_000;
  const start = await player.reserved();
  const roundsNs: number[] = [];
  let peakBytes = 0;
  let operations = 0;
  const until = performance.now() + (context.quick ? 500 : 30_000);
  while (performance.now() < until || roundsNs.length < 3) {
    const round = await player.round(amount);
    const { bytes } = await player.reserved();
    peakBytes = Math.max(peakBytes, bytes - (start.how === 'resident' ? start.bytes : 0));
    operations += round.operations;
    roundsNs.push(round.elapsedNs / round.operations);
  }
  const one: Played = {
    name: player.name,
    roundsNs,
    operations,
    failures: 0,
    filled: true,
    settled: true,
  };
  const ratio = peakBytes / liveBytes;
  const bar: Bar = {
    what: '× live at the peak',
    value: ratio,
    limit: peakLimit,
    direction: 'atMost',
  };
  const memory: Memory = {
    usableRatio: 1,
    reservedRatio: ratio,
    peakBytes: liveBytes,
    peakReservedBytes: peakBytes,
  };
  const note = `${ratio.toFixed(2)} × live at the peak; reserved: ${start.how}`;
  const bars = player.name === oursName ? [bar] : [];
  return {
    ...toAllocRow({ workload: 'free-only', play, one, played: [one], bars, note }),
    ...memory,
  };
}

const holeCounts: readonly number[] = [4096, 16_384, 65_536];
const holesLimitNs = 1000;
const flatLimit = 1.5;
const largeBytes = 4 * mib;

const freeHoles: Scenario = {
  name: 'free-holes',
  async run(context) {
    const rows: Row[] = [];
    let fewestNs: number | undefined;
    for (const slots of holeCounts) {
      const play: Play = { ...emptyPlay, program: 'holes', workers: 1, slots, a: largeBytes };
      const members = cast(play, 4096 * mib, context);
      const played = await playTogether(members, play, planOf(50_000, 0, context));
      const ours = median(played[0]?.roundsNs ?? [0]);
      fewestNs ??= ours;
      const bars: Bar[] = [
        { what: 'ns/op', value: ours, limit: holesLimitNs, direction: 'atMost' },
      ];
      if (slots !== holeCounts[0]) {
        const what = `× the time at ${holeCounts[0]} holes`;
        bars.push({ what, value: ours / fewestNs, limit: flatLimit, direction: 'atMost' });
      }
      rows.push(...rowsOf(`free-holes-${slots}`, play, played, bars));
    }
    return rows;
  },
};

export const teamScenarios: readonly Scenario[] = [
  larson,
  xmalloc('xmalloc-64', 64),
  xmalloc('xmalloc-mixed', 0),
  cacheScratch,
  freeOnly,
  freeHoles,
];
