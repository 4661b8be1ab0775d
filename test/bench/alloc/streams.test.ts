/** All who play a workload draw the same stream, in C and in JavaScript, whatever they allocate with. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { Heap, HeapName } from '../../../bench/alloc/heaps/heap.ts';
import { openHeap } from '../../../bench/alloc/heaps/open.ts';
import { playOf, type Shape, shapes } from '../../../bench/alloc/house-scenario.ts';
import {
  buildNative,
  nativePeers,
  openNativePlayer,
  programName,
} from '../../../bench/alloc/native-player.ts';
import type { Play, Player } from '../../../bench/alloc/player.ts';
import { HouseProgram } from '../../../bench/alloc/programs/house.ts';
import { houseWorkloads } from '../../../bench/alloc/workloads.ts';
import { hasCommand } from '../../support/children.ts';

const operations = 50_000;
const hasCompiler = hasCommand('cc');
const folder = mkdtempSync(join(tmpdir(), 'cenote-native-'));
const cases = houseWorkloads.flatMap((workload) =>
  shapes.map((shape): [string, Play] => [
    `${workload.name} ${shape}`,
    smaller(playOf(workload, shape, 1), shape),
  ]),
);

/** Without rests, and with few blocks to fill a pool with. */
function smaller(play: Play, shape: Shape): Play {
  if (shape !== 'full') return { ...play, burst: 0 };
  return { ...play, slots: play.slots >> 3, targetBytes: play.targetBytes >> 3 };
}

function houseOf(name: HeapName, play: Play, worker = 0): HouseProgram<unknown> {
  const heap: Heap<unknown> = openHeap(name, { capacityBytes: 2 ** 28, aligned: play.aligned });
  return new HouseProgram(heap, play, worker);
}

async function nativeState(peer: string, play: Play): Promise<number | undefined> {
  const who = nativePeers.find(({ name }) => name === peer);
  if (who === undefined) throw new Error(`no peer ${peer}`);
  const player: Player = openNativePlayer(join(folder, programName), who, '', play);
  try {
    const { states, operations: done } = await player.round(operations);
    expect(done).toBe(operations);
    return states[0];
  } finally {
    await player.close();
  }
}

function needCompiler(context: TestContext): void {
  if (hasCompiler) return;
  context.skip('no C compiler: provide it with `sudo apt-get install build-essential`');
}

beforeAll(() => {
  buildNative(folder, () => {});
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(cases)('%s', (_name, play) => {
  const states = (['cenote', 'Buffer.allocUnsafe', 'void'] as const).map(
    (name) => houseOf(name, play).round(operations).state,
  );

  it('is one stream for all heaps', () => {
    expect(new Set(states).size).toBe(1);
  });

  it('is the same in C', async (context) => {
    needCompiler(context);
    expect(await nativeState('glibc', play)).toBe(states[0]);
    expect(await nativeState('native void', play)).toBe(states[0]);
  });
});

it('differs from worker to worker', () => {
  const [, play] = cases[0] as [string, Play];
  const states = [0, 1].map((worker) => houseOf('void', play, worker).round(1000).state);
  expect(states[0]).not.toBe(states[1]);
});

describe('a house', () => {
  const [, play] = cases[0] as [string, Play];
  const [, fullPlay] = cases.find(([name]) => name === 'rl_medium full') as [string, Play];

  it('times batches of frees and of allocations apart', () => {
    const { batch, allocate, free } = houseOf('cenote', play).latency(30);
    expect(batch).toBe(64);
    expect(allocate.map((list) => list.length)).toEqual([30]);
    expect(free.map((list) => list.length)).toEqual([30]);
  });

  it('tells what is live and what that takes', () => {
    const { samples, failures } = houseOf('cenote', play).memory(40_000, 20_000);
    expect(samples.map((sample) => sample.operations)).toEqual([20_000, 40_000]);
    expect(failures).toBe(0);
    for (const { requestedBytes, usableBytes, reservedBytes } of samples) {
      expect(usableBytes).toBeGreaterThan(requestedBytes);
      expect(reservedBytes).toBeGreaterThan(usableBytes);
    }
  });

  it('holds live bytes at their bound', () => {
    const { samples } = houseOf('cenote', fullPlay).memory(100_000, 50_000);
    const last = samples.at(-1)?.requestedBytes ?? 0;
    expect(last).toBeLessThanOrEqual(fullPlay.targetBytes);
    expect(last).toBeGreaterThan(fullPlay.targetBytes * 0.95);
  });

  it('is told alike in C', async (context) => {
    needCompiler(context);
    const [glibc] = nativePeers;
    const player = openNativePlayer(join(folder, programName), glibc as never, '', fullPlay);
    try {
      const { samples } = await player.memory(100_000, 50_000);
      const ours = houseOf('cenote', fullPlay).memory(100_000, 50_000);
      expect(samples.at(-1)?.requestedBytes).toBe(ours.samples.at(-1)?.requestedBytes);
      expect(samples.at(-1)?.reservedBytes).toBeGreaterThan(fullPlay.targetBytes / 2);
      const { allocate, free } = await player.latency(30);
      expect([allocate.flat().length, free.flat().length]).toEqual([30, 30]);
    } finally {
      await player.close();
    }
  });
});
