/** One house workload in one shape of load: ours beside every peer. */

import type { Bar, Row } from '../harness/row.ts';
import { median } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { houseBars } from './bars.ts';
import { castOf, freshly } from './cast.ts';
import { type HeapName, type HeapOptions, heapNames } from './heaps/heap.ts';
import { latencyBatch } from './house.ts';
import { measureMemory, memoryOf } from './memory.ts';
import { oursName } from './names.ts';
import { emptyPlay, type MemoryRun, type Play } from './player.ts';
import { recordHouse } from './replay-scenario.ts';
import { ratioBetween, toAllocRow } from './rows.ts';
import { type Played, playTogether, type TurnsPlan } from './turns.ts';
import { boundedSlots, type HouseWorkload } from './workloads.ts';

/** Steady; nine parts of rest to one of work; live bytes held at nine tenths of capacity. */
export type Shape = 'steady' | 'burst' | 'full';
export const shapes: readonly Shape[] = ['steady', 'burst', 'full'];

const mib = 2 ** 20;

const roundOperations = 5_000_000;
/** Shorter, because nine tenths of a round are rest. */
const burstRoundOperations = 1_000_000;
const burstOperations = 50_000;
const fullPercent = 90;

/** Of our pool, per worker. Others are not bounded. */
const roomyBytes = 256 * mib;
const latencyBatches = 20_000;
const latencyMsMax = 3000;

export function houseScenario(workload: HouseWorkload, shape: Shape): Scenario {
  const name = shape === 'steady' ? workload.name : `${workload.name}-${shape}`;
  return { name, records: true, run: (context) => runHouse(name, workload, shape, context) };
}

/** So much that a full pool holds hundreds of the largest blocks. */
function capacityBytes(workload: HouseWorkload, shape: Shape): number {
  if (shape !== 'full' || workload.name === 'fragmentation_mix') return roomyBytes;
  return 32 * mib;
}

export function playOf(workload: HouseWorkload, shape: Shape, workers: number): Play {
  const { ranges, aligned } = workload;
  const isFull = shape === 'full';
  const targetBytes = isFull ? Math.floor((capacityBytes(workload, shape) * fullPercent) / 100) : 0;
  return {
    ...emptyPlay,
    program: 'house',
    workers,
    ranges,
    aligned,
    slots: isFull ? boundedSlots(ranges, targetBytes) : workload.slots,
    targetBytes,
    burst: shape === 'burst' ? burstOperations : 0,
  };
}

function heapFor(
  workload: HouseWorkload,
  shape: Shape,
  workers: number,
): (name: HeapName) => HeapOptions {
  const bytes = capacityBytes(workload, shape);
  const { aligned } = workload;
  // One pool for all our workers; for one it is one segment, so that looking up bytes is no work of ours. The others get twice the room: what they
  // round up to comes on top.
  return (name) =>
    name.startsWith(oursName)
      ? { capacityBytes: bytes * workers, segmentBytes: workers === 1 ? bytes : undefined, aligned }
      : { capacityBytes: 2 * bytes, aligned };
}

function planOf(shape: Shape, play: Play, { quick, log }: Context): TurnsPlan {
  return {
    operations: shape === 'burst' ? burstRoundOperations / (quick ? 10 : 1) : roundOperations,
    // Only a steady load is held to bars.
    rounds: quick ? 3 : shape === 'steady' ? 21 : 7,
    warmupRoundsMax: quick ? 1 : 12,
    // Without the nine times as long at rest.
    roundMsMax: (quick ? 10 : 400) / (shape === 'burst' ? 10 : 1),
    fillOperations: 3 * play.slots,
    fillMsMax: quick ? 100 : 2000,
    log,
  };
}

/** Only ours has a capacity to be full of; a linked list of blocks is slow enough without rests. */
function namesFor(shape: Shape): readonly HeapName[] {
  if (shape === 'steady') return heapNames;
  return heapNames.filter((name) =>
    shape === 'burst' ? name !== 'thi.ng/malloc' : name === oursName || name === 'void',
  );
}

/** As many as time allows. */
function batchesFor(one: Played, quick: boolean): number {
  const share = quick ? 50 : 1;
  const batchNs = median(one.roundsNs) * 2 * latencyBatch;
  const fitting = Math.floor((latencyMsMax * 1e6) / batchNs);
  return Math.max(20, Math.ceil(Math.min(latencyBatches, fitting) / share));
}

async function runHouse(
  name: string,
  workload: HouseWorkload,
  shape: Shape,
  context: Context,
): Promise<Row[]> {
  const play = playOf(workload, shape, context.workers);
  const heap = heapFor(workload, shape, context.workers);
  if (context.record !== undefined) {
    recordHouse(play, context.record, context);
    return [];
  }
  const members = castOf(namesFor(shape), heap, context);
  const played = await playTogether(members, play, planOf(shape, play, context));

  const rows: Row[] = [];
  for (const [index, member] of members.entries()) {
    const one = played[index] as Played;
    const latency = await freshly(member, { ...play, workers: 1 }, (player) =>
      player.latency(batchesFor(one, context.quick)),
    );
    const hasMemory = shape === 'steady' && !member.name.endsWith('void');
    const memory = hasMemory ? await measureMemory(member, one, play, heap, context) : undefined;
    const bars = member.name === oursName ? barsOf(workload, shape, context, played) : [];
    bars.push(...compactionBars(memory));
    rows.push(toAllocRow({ workload: name, play, one, played, latency, memory, bars }));
  }
  return rows;
}

/** The other shapes are held to no bar. */
function barsOf(
  { name }: HouseWorkload,
  shape: Shape,
  { workers }: Context,
  played: readonly Played[],
): Bar[] {
  return shape === 'steady'
    ? houseBars(name, workers, (other) => ratioBetween(played, oursName, other))
    : [];
}

/** Only ours can compact. */
function compactionBars(memory: MemoryRun | undefined): Bar[] {
  const value = memory === undefined ? undefined : memoryOf(memory)?.compactedRatio;
  if (value === undefined) return [];
  return [{ what: 'reserved/live after compaction', value, limit: 1.15, direction: 'atMost' }];
}
