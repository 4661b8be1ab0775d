import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readArgs } from '../../../bench/args.ts';
import { houseBars } from '../../../bench/alloc/bars.ts';
import { residentOf } from '../../../bench/alloc/heaps/ours.ts';
import { playOf } from '../../../bench/alloc/house-scenario.ts';
import { together } from '../../../bench/alloc/js-player.ts';
import { memoryOf } from '../../../bench/alloc/memory.ts';
import { findLibrary, nativeWords } from '../../../bench/alloc/native-player.ts';
import type { Player } from '../../../bench/alloc/player.ts';
import { toAllocRow } from '../../../bench/alloc/rows.ts';
import { type Played, takeTurns, type TurnsPlan } from '../../../bench/alloc/turns.ts';
import { houseWorkloads, meanBytes } from '../../../bench/alloc/workloads.ts';
import { isMet } from '../../../bench/harness/row.ts';

const [small, , mix] = houseWorkloads as [
  (typeof houseWorkloads)[number],
  (typeof houseWorkloads)[number],
  (typeof houseWorkloads)[number],
];

function played(name: string, ns: number): Played {
  const roundsNs = [ns, ns * 2, ns / 2];
  return { name, roundsNs, operations: 1000, failures: 0, filled: true, settled: true };
}

describe('takeTurns', () => {
  const plan: TurnsPlan = {
    operations: 100_000,
    rounds: 3,
    warmupRoundsMax: 4,
    roundMsMax: 10,
    fillOperations: 10_000,
    fillMsMax: 100,
    log: () => {},
  };

  /** A player of constant pace that notes its turns; its generator stands at the number of operations done. */
  function pacer(name: string, paceNs: number, turns: string[], drift = 0): Player {
    let done = drift;
    const unused = async (): Promise<never> => Promise.reject(new Error('not asked'));
    return {
      name,
      round: async (amount) => {
        turns.push(name);
        done += amount;
        const states = [done];
        return { elapsedNs: amount * paceNs, operations: amount, failures: 0, states };
      },
      latency: unused,
      memory: unused,
      reserved: unused,
      close: async () => {},
    };
  }

  it('takes turns after warming up, and gives the slow less to do', async () => {
    const turns: string[] = [];
    const players = [pacer('fast', 10, turns), pacer('slow', 5000, turns)];
    const [fast, slow] = (await takeTurns(players, plan)) as [Played, Played];
    const rounds = [turns.slice(-6, -4), turns.slice(-4, -2), turns.slice(-2)];
    for (const round of rounds) expect(round.toSorted()).toEqual(['fast', 'slow']);
    expect(new Set(rounds.map(([first]) => first)).size).toBe(2);
    expect(fast).toMatchObject({ roundsNs: [10, 10, 10], operations: 100_000, settled: true });
    expect(slow).toMatchObject({ roundsNs: [5000, 5000, 5000], operations: 2000, filled: true });
  });

  it('gives more to do to who gets faster while warming up', async () => {
    let round = 0;
    const paces = [5000, 5000, 5000, 100, 10];
    const turns: string[] = [];
    const player = pacer('late', 1, turns);
    const late: Player = {
      ...player,
      round: async (amount) => {
        const { elapsedNs, ...rest } = await player.round(amount);
        return { ...rest, elapsedNs: elapsedNs * (paces[round++] ?? 10) };
      },
    };
    const [last] = (await takeTurns([late], plan)) as [Played];
    expect(last).toMatchObject({ roundsNs: [10, 10, 10], operations: 100_000, settled: true });
  });

  it('does not wait for ever until a table is full', async () => {
    const [slug] = await takeTurns([pacer('slug', 50_000, [])], plan);
    expect(slug).toMatchObject({ filled: false, operations: 1000 });
  });

  it('refuses two who drew different streams', async () => {
    const players = [pacer('one', 10, []), pacer('other', 10, [], 7)];
    await expect(takeTurns(players, plan)).rejects.toThrow('other drew another stream');
    // Another pace, and another stream once its table is half full.
    const late = pacer('late', 70, []);
    const drifting: Player = {
      ...late,
      round: async (amount) => {
        const round = await late.round(amount);
        const states = round.states.map((done) => (done > 5000 ? done + 1 : done));
        return { ...round, states };
      },
    };
    await expect(takeTurns([pacer('one', 10, []), drifting], plan)).rejects.toThrow('late drew');
  });
});

describe('together', () => {
  it('adds operations up and takes the time of the slowest', () => {
    const share = { operations: 10, failures: 1, restNs: 0 };
    expect(
      together([
        { ...share, state: 5, busyNs: 100 },
        { ...share, state: 6, busyNs: 300 },
      ]),
    ).toEqual({ elapsedNs: 300, operations: 20, failures: 2, states: [5, 6] });
  });
});

describe('bars', () => {
  const ratios: Record<string, number> = { mimalloc: 1.2, Uint8Array: 0.02 };

  it('hold one worker to a floor and a goal, and to the peers of JavaScript that played', () => {
    const bars = houseBars('rl_small', 1, (name) => ratios[name]);
    expect(bars.map((bar) => [bar.what, bar.value, bar.limit, isMet(bar)])).toEqual([
      ['× mimalloc, floor', 1.2, 1.3, true],
      ['× mimalloc, goal', 1.2, 1, false],
      ['× faster than Uint8Array', 50, 40, true],
    ]);
  });

  it('hold more workers to throughput', () => {
    const bars = houseBars('rl_small', 2, (name) => ratios[name]);
    expect(bars.map((bar) => [bar.limit, isMet(bar)])).toEqual([
      [0.8, true],
      [1, false],
    ]);
  });

  it('are none where the peer is not there', () => {
    expect(houseBars('rl_small', 2, () => undefined)).toEqual([]);
  });
});

describe('memoryOf', () => {
  it('takes means over the second half and peaks over all', () => {
    const sample = (requestedBytes: number, usableBytes: number, reservedBytes: number) => ({
      operations: 1,
      requestedBytes,
      usableBytes,
      reservedBytes,
    });
    const samples = [sample(500, 500, 9000), sample(100, 150, 300), sample(100, 250, 250)];
    expect(memoryOf({ samples, how: '', failures: 0 })).toEqual({
      usableRatio: 2,
      reservedRatio: 1.5,
      peakBytes: 500,
      peakReservedBytes: 9000,
    });
    expect(memoryOf({ samples: [sample(0, 0, 0)], how: '', failures: 0 })).toBeUndefined();
  });
});

describe('residentOf', () => {
  it('adds up the mappings of one folder', () => {
    const smaps = [
      '7f00-7f10 rw-s 00000000 00:1a 5 /dev/shm/a/pool/segment-0',
      'Size:  1024 kB',
      'Rss:    200 kB',
      'Pss:    100 kB',
      'VmFlags: rd wr',
      '7f20-7f30 rw-s 00000000 00:1a 6 /dev/shm/b/pool/segment-0',
      'Pss:     50 kB',
      '7f40-7f50 rw-s 00000000 00:1a 7 /dev/shm/a/pool/segment-1',
      'Pss:      4 kB',
    ].join('\n');
    expect(residentOf(smaps, '/dev/shm/a/')).toBe(104 * 1024);
  });
});

describe('native peers', () => {
  it('are found by the start of their name, in the first folder that has them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-libraries-'));
    try {
      for (const name of ['libx.so.2', 'libx.so.2.0', 'libxy.so.1']) {
        writeFileSync(join(folder, name), '');
      }
      expect(findLibrary('libx.so', ['/nowhere', folder])).toBe(join(folder, 'libx.so.2'));
      expect(findLibrary('libz.so', [folder])).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are told the workload on their command line', () => {
    expect(nativeWords(playOf(mix, 'burst', 2), false)).toEqual([
      'house',
      'workers=2',
      'mode=plain',
      'slots=4000',
      'target=0',
      'burst=50000',
      'a=0',
      'b=0',
      'c=0',
      'ranges=16-256:60,256-4096:25,4096-65536:12,65536-1048576:3',
    ]);
    expect(nativeWords(playOf(small, 'steady', 1), true)).toContain('mode=none');
  });
});

describe('house workloads', () => {
  it('weigh their ranges to a hundred', () => {
    for (const { ranges } of houseWorkloads) {
      expect(ranges.reduce((sum, { weight }) => sum + weight, 0)).toBe(100);
    }
    expect(meanBytes(small.ranges)).toBe(264);
  });

  it('have about two of five slots full when live bytes are at their bound', () => {
    const { slots, targetBytes } = playOf(small, 'full', 1);
    expect((slots * 0.4 * meanBytes(small.ranges)) / targetBytes).toBeCloseTo(1, 3);
  });
});

describe('rows', () => {
  it('carry ratio, quantiles by size and memory', () => {
    const all = [played('cenote', 12), played('mimalloc', 10)];
    const row = toAllocRow({
      workload: mix.name,
      play: playOf(mix, 'steady', 2),
      one: all[0] as Played,
      played: all,
      latency: { batch: 10, allocate: [[100], [200], [], []], free: [[50], [60], [], []] },
      memory: {
        samples: [{ operations: 1, requestedBytes: 10, usableBytes: 20, reservedBytes: 30 }],
        how: 'counted',
        failures: 2,
      },
      bars: [],
    });
    expect(row).toMatchObject({
      suite: 'alloc',
      workload: 'fragmentation_mix',
      subject: 'cenote',
      workers: 2,
      medianNs: 12,
      ratioToMimalloc: 1.2,
      usableRatio: 2,
      reservedRatio: 1.5,
      peakBytes: 10,
      peakReservedBytes: 30,
      note: 'reserved: counted; 2 allocations found no memory',
    });
    expect(row.allocate?.p50Ns).toBeCloseTo(10, 0);
    expect(row.free?.p999Ns).toBeCloseTo(6, 0);
    expect(row.sizes?.map(({ highBytes }) => highBytes)).toEqual([256, 4096, 65_536, 1_048_576]);
    expect(row.sizes?.[1]?.allocate.p50Ns).toBeCloseTo(20, 0);
  });

  it('say when a table was not full', () => {
    const one = { ...played('slow', 1), filled: false };
    const play = playOf(small, 'burst', 1);
    const row = toAllocRow({ workload: 'w', play, one, played: [one], bars: [] });
    expect(row.note).toContain('not full');
    expect(row).not.toHaveProperty('ratioToMimalloc');
  });
});

describe('readArgs', () => {
  it('reads what the suite alloc takes', () => {
    const words = ['alloc', '--ablation', '--operations', '1e8', '--record', 'trace.csv.gz'];
    expect(readArgs(words)).toMatchObject({
      ablation: true,
      operations: 100_000_000,
      record: 'trace.csv.gz',
    });
    expect(() => readArgs(['alloc', '--operations', '-5'])).toThrow('--operations');
    expect(() => readArgs(['alloc', '--operations', '10'])).toThrow('--operations');
  });
});
