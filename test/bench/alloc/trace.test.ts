import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openOurs } from '../../../bench/alloc/heaps/ours.ts';
import { playOf } from '../../../bench/alloc/house-scenario.ts';
import { emptyPlay } from '../../../bench/alloc/player.ts';
import { ReplayProgram } from '../../../bench/alloc/programs/replay.ts';
import { recordHouse } from '../../../bench/alloc/replay-scenario.ts';
import {
  formatTrace,
  parseTrace,
  readTrace,
  scriptOf,
  type TraceEvent,
} from '../../../bench/alloc/trace.ts';
import { houseWorkloads } from '../../../bench/alloc/workloads.ts';
import type { Context } from '../../../bench/harness/suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'cenote-trace-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const context: Context = {
  quick: true,
  folder,
  workers: 2,
  ablation: false,
  operations: undefined,
  record: undefined,
  replay: undefined,
  python: undefined,
  pricePerHour: 0,
  shared: undefined,
  log: () => {},
};

function event(action: 'allocate' | 'free', timeUs: number, id: number, sizeBytes = 8): TraceEvent {
  return { worker: 0, timeUs, action, id, sizeBytes, kind: 'blob' };
}

describe('a trace', () => {
  const events = [event('allocate', 1, 1, 100), event('free', 2, 1, 100)];

  it('is read as it was written', () => {
    expect(parseTrace(formatTrace(events))).toEqual(events);
  });

  it('is read with and without compression', () => {
    const plain = join(folder, 'plain.csv');
    writeFileSync(plain, formatTrace(events));
    expect(readTrace(plain)).toEqual(events);
  });

  it.each([
    ['', 'line 1'],
    ['worker,time,action,id,size,kind\n0,1,grow,1,8,blob\n', 'line 2'],
    ['worker,time,action,id,size,kind\n0,1,free,1,8,blob\n0,1,free,1,8,glob\n', 'line 3'],
    ['worker,time,action,id,size,kind\n0,-1,free,1,8,blob\n', 'line 2'],
    ['worker,time,action,id,size,kind\n0,1,free,1,8\n', 'line 2'],
  ])('is refused with the number of the line: %j', (text, where) => {
    expect(() => parseTrace(text)).toThrow(where);
  });
});

describe('scriptOf', () => {
  it('orders by time, uses slots again, forgets what it has not seen, and frees the rest', () => {
    const script = scriptOf([
      event('allocate', 5, 2, 20),
      event('allocate', 1, 1, 10),
      event('free', 2, 77),
      event('free', 3, 1),
      event('allocate', 6, 3, 30),
    ]);
    expect([...script.words]).toEqual([0, 10, 0, 0, 0, 20, 1, 30, 0, 0, 1, 0]);
    expect(script).toMatchObject({ slots: 2, operations: 6, peakLiveBytes: 50 });
  });

  it('refuses a block that is allocated twice, or has no possible size', () => {
    const twice = [event('allocate', 1, 1), event('allocate', 2, 1)];
    expect(() => scriptOf(twice)).toThrow('block 1 is allocated twice');
    expect(() => scriptOf([event('allocate', 1, 1, 0)])).toThrow('block 1 has 0 B');
  });
});

describe('a recording', () => {
  const file = join(folder, 'trace.csv.gz');
  const [workload] = houseWorkloads as [(typeof houseWorkloads)[number]];
  recordHouse(playOf(workload, 'steady', 2), file, context);
  const events = readTrace(file);

  it('holds what every worker did, with ids of its own', () => {
    expect(readFileSync(file).subarray(0, 2).toString('hex')).toBe('1f8b');
    expect(events).toHaveLength(40_000);
    expect(new Set(events.map(({ worker }) => worker))).toEqual(new Set([0, 1]));
    const allocated = events.filter(({ action }) => action === 'allocate');
    expect(new Set(allocated.map(({ id }) => id)).size).toBe(allocated.length);
    const first = allocated.find(({ id }) => id === 1);
    expect(first).toMatchObject({ worker: 0, kind: 'blob' });
  });

  it('plays from start to end and again, and leaves nothing behind', () => {
    const { words, slots, operations } = scriptOf(events);
    const script = join(folder, 'script');
    writeFileSync(script, words);
    const heap = openOurs({ capacityBytes: 2 ** 26, aligned: false });
    const play = { ...emptyPlay, program: 'replay', workers: 1, slots, file: script };
    const program = new ReplayProgram(heap, play);
    expect(program.round(2 * operations).state).toBe(0);
    expect(heap.reserved().bytes).toBeGreaterThan(0);
    expect(heap.allocator.stats().liveBytes).toBe(0);
  });
});
