/** Policies against published figures, and what learning promises on traces of all kinds. */

import { describe, expect, it } from 'vitest';
import { dataFolder, loadTrace, type TraceName } from '../../bench/traces/load.ts';
import { Random } from '../../src/base/random.ts';
import { sessionHint, type SessionHint } from '../../src/evict/api.ts';
import { Simulation, type PolicyName } from '../../src/kv/replay/cache.ts';
import { generatedTrace } from '../../src/kv/traces/generate.ts';
import { syntheticNames, syntheticTrace } from '../../src/kv/traces/synthetic.ts';
import { requestCount, type Trace } from '../../src/kv/traces/trace.ts';
import { rounds, seed } from '../support/seed.ts';

/** Hit ratio in points. */
function points(trace: Trace, policy: PolicyName, capacityBlocks: number): number {
  const simulation = new Simulation(trace, policy, capacityBlocks);
  simulation.play(requestCount(trace));
  return (100 * simulation.hits) / trace.references.length;
}

const loaded = new Map<TraceName, Promise<Trace | undefined>>();

async function published(name: TraceName, skip: (why: string) => never): Promise<Trace> {
  const trace = loaded.get(name) ?? loadTrace(name);
  loaded.set(name, trace);
  return (await trace) ?? skip(`${dataFolder()} has no such trace (set CENOTE_DATA)`);
}

type Row = readonly [policy: PolicyName, figures: Readonly<Record<number, number>>];

const conversation: readonly Row[] = [
  ['min', { 1000: 19.07, 2000: 25.5, 5000: 34.12, 10_000: 36.64, 50_000: 36.64 }],
  ['lru', { 1000: 4.45, 2000: 5.43, 5000: 11.18, 10_000: 21.16, 30_000: 32.57, 50_000: 35.46 }],
  ['s3fifo', { 1000: 5.56, 5000: 13.82, 10_000: 19.53, 30_000: 30.43, 50_000: 34.9 }],
  ['arc', { 1000: 5.29, 5000: 11.31, 10_000: 22.26, 30_000: 31.11, 50_000: 34.37 }],
];
const agentic: readonly Row[] = [
  ['min', { 1000: 52.06, 2000: 74.73, 5000: 92.81, 10_000: 95.86 }],
  ['lru', { 1000: 19.12, 2000: 50.38, 5000: 88.17, 10_000: 94.31 }],
];
const learned = {
  conversation: {
    1000: 8.46,
    2000: 11.69,
    5000: 18.29,
    10_000: 24.43,
    20_000: 30.7,
    30_000: 33.49,
    50_000: 35.45,
  },
  agentic: { 1000: 40.96, 2000: 64.42, 5000: 89.17, 10_000: 94.46 },
} as const;
/** With what a third party says of each session, wrong one time in five. */
const hinted = {
  1000: 9.15,
  2000: 13.55,
  5000: 21.75,
  10_000: 28.47,
  20_000: 33.19,
  30_000: 34.81,
  50_000: 35.86,
} as const;

/** Sampling noise of a run, and what is allowed for it. */
const exact = 0.02;
const noise = 0.3;
/**
 * Sessions that come back by chance alone: which of them come back soon is luck, and at 2,000 blocks a handful of those of the agentic shape are all that
 * fits. Points below LRU of 770 seeds at 2,000 blocks: mean −0.52, standard deviation 0.52, most 1.02 (agentic); of 200 at four capacities 0.07, 0.12, 0.46
 * (conversation). The mean of four drawn seeds is held to what is far for it, each of them to seven deviations, the first seeds to what they had.
 */
const ofShape = {
  conversation: { mean: 0.5, anySeed: 1, firstSeeds: 0.5 },
  agentic: { mean: 1, anySeed: 3, firstSeeds: 0.1 },
} as const;
const drawnSeeds = 4;

/** All capacities in CI, else every third. */
const rows = (figures: Readonly<Record<number, number>>): [number, number][] =>
  Object.entries(figures)
    .filter((_, index) => index % rounds(3, 1) === 0)
    .map(([capacity, figure]) => [Number(capacity), figure]);

describe.each([
  ['conversation', conversation],
  ['agentic', agentic],
] as const)('on the %s trace', (name, table) => {
  it.for(table.map((row) => row))('%s hits what is known', async ([policy, figures], context) => {
    const trace = await published(name, (why) => context.skip(why));
    for (const [capacity, figure] of rows(figures)) {
      expect(Math.abs(points(trace, policy, capacity) - figure)).toBeLessThanOrEqual(exact);
    }
  });

  it('hazard hits what the policy is known for, and not less than LRU', async (context) => {
    const trace = await published(name, (why) => context.skip(why));
    for (const [capacity, figure] of rows(learned[name])) {
      const hits = points(trace, 'hazard', capacity);
      expect(hits).toBeGreaterThan(figure - noise);
      expect(hits).toBeGreaterThan(points(trace, 'lru', capacity) - noise);
    }
  });
});

it('hazard believes hints as far as they prove right', async (context) => {
  const trace = await published('conversation', (why) => context.skip(why));
  const informed: Trace = { ...trace, hints: hintsFor(trace) };
  for (const [capacity, figure] of rows(hinted)) {
    expect(points(informed, 'hazard', capacity)).toBeGreaterThan(figure - noise);
  }
});

/** Whether the last full block of each request is asked for again; every fifth answer is wrong. */
function hintsFor(trace: Trace): Uint8Array {
  const { references, starts, fullBlocks } = trace;
  const wanted = new Uint8Array(trace.distinct);
  const hints = new Uint8Array(requestCount(trace));
  for (let request = hints.length - 1; request >= 0; request -= 1) {
    const start = starts[request] as number;
    const full = fullBlocks[request] as number;
    const last = full === 0 ? undefined : references[start + full - 1];
    const goesOn = last !== undefined && wanted[last] === 1;
    hints[request] = hintOf(goesOn !== isWrong(request));
    for (let at = start; at < (starts[request + 1] as number); at += 1) {
      wanted[references[at] as number] = 1;
    }
  }
  return hints;
}

function hintOf(goesOn: boolean): SessionHint {
  return goesOn ? sessionHint.goesOn : sessionHint.over;
}

function isWrong(request: number): boolean {
  let x = Math.imul(request + 1, 2_654_435_761);
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b_3c6d);
  x ^= x >>> 13;
  return (x >>> 0) / 2 ** 32 < 0.2;
}

/** All in CI, else the first. */
const capacities = [5000, 2000, 10_000, 20_000].slice(0, rounds(1, 4));

/** Points of hazard below LRU at the capacity where they are most. */
function mostBelow(name: string): number {
  const trace = generatedTrace(name) as Trace;
  const below = (capacity: number): number =>
    points(trace, 'lru', capacity) - points(trace, 'hazard', capacity);
  return Math.max(...capacities.map(below));
}

describe('on made-up traces', () => {
  const size = { requests: rounds(8000, 20_000), chains: 400, blocksPerChain: 12 };

  /** A turn costs at most what fits into the cache, once: there must be time to make up for that. */
  const long = { requests: 20_000, chains: 600, blocksPerChain: 12 };

  it.each(syntheticNames)('%s: hazard is never far below LRU', (name) => {
    const turns = name === 'turncoat';
    const trace = syntheticTrace(name, new Random(seed()), turns ? long : size);
    for (const capacity of turns ? [600, 5000] : [100, 1000, 3500]) {
      const below = points(trace, 'lru', capacity) - points(trace, 'hazard', capacity);
      expect(below).toBeLessThan(noise);
    }
  });

  it.each(['conversation', 'agentic'] as const)(
    'in the shape of the %s trace hazard is never far below LRU',
    (shape) => {
      const { mean, anySeed, firstSeeds } = ofShape[shape];
      for (let of = 1; of <= rounds(1, 2); of += 1) {
        expect(mostBelow(`generated:${shape}:${of}`)).toBeLessThan(firstSeeds);
      }
      const drawn = Array.from({ length: drawnSeeds }, (_, of) =>
        mostBelow(`generated:${shape}:${1 + (seed() % 1_000_000) + of}`),
      );
      expect(Math.max(...drawn)).toBeLessThan(anySeed);
      expect(drawn.reduce((sum, below) => sum + below, 0) / drawnSeeds).toBeLessThan(mean);
    },
  );

  it('finds most of a loop that does not fit, where LRU finds nothing', () => {
    const trace = syntheticTrace('loop', new Random(seed()), size);
    expect(points(trace, 'lru', 100)).toBe(0);
    expect(points(trace, 'hazard', 100)).toBeGreaterThan(0.85 * points(trace, 'min', 100));
  });

  it('makes use of hints that are mostly right', () => {
    const trace = syntheticTrace('uniform', new Random(seed()), size);
    const informed: Trace = { ...trace, hints: soonHints(trace) };
    expect(points(informed, 'hazard', 600)).toBeGreaterThan(points(trace, 'hazard', 600) + 3);
  });
});

/** Whether the first block of each request comes again within a minute; every fifth answer is wrong. */
function soonHints(trace: Trace): Uint8Array {
  const { references, starts, arrivalsMs } = trace;
  const nextMs = new Float64Array(trace.distinct).fill(Infinity);
  const hints = new Uint8Array(requestCount(trace));
  for (let request = hints.length - 1; request >= 0; request -= 1) {
    const first = references[starts[request] as number] as number;
    const atMs = arrivalsMs[request] as number;
    const isSoon = (nextMs[first] as number) - atMs < 60_000;
    hints[request] = hintOf(isSoon !== isWrong(request));
    nextMs[first] = atMs;
  }
  return hints;
}
