import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { dataFolder, loadTrace, type TraceName } from '../../bench/traces/load.ts';
import { Simulation, type PolicyName } from '../../src/kv/replay/cache.ts';
import { MaxHeap } from '../../src/kv/replay/max-heap.ts';
import { sizedMisses } from '../../src/kv/replay/sized.ts';
import type { Trace } from '../../src/kv/traces/trace.ts';
import { rounds, seed } from '../support/seed.ts';
import { chains, requestsOf, traceOf } from './support.ts';
import { fc } from '../support/properties.ts';

function played(trace: Trace, policy: PolicyName, capacityBlocks: number): Simulation {
  const simulation = new Simulation(trace, policy, capacityBlocks);
  simulation.play(trace.arrivalsMs.length);
  expect(simulation.done).toBe(true);
  return simulation;
}

function prefixHits(request: readonly number[], has: (block: number) => boolean): number {
  const missing = request.findIndex((block) => !has(block));
  return missing < 0 ? request.length : missing;
}

/** By definition: a list in order of use, the deepest block of a request counting as used first. */
function naiveLru(
  trace: Trace,
  capacity: number,
): { readonly hits: number; readonly evictions: number } {
  let list: number[] = [];
  let hits = 0;
  let evictions = 0;
  for (const request of requestsOf(trace)) {
    hits += prefixHits(request, (block) => list.includes(block));
    const used = [...new Set(request)];
    list = [...used, ...list.filter((block) => !used.includes(block))];
    evictions += Math.max(0, list.length - capacity);
    list.length = Math.min(list.length, capacity);
  }
  return { hits, evictions };
}

/** The most hits that any decisions lead to: all of them are tried. */
function mostHits(trace: Trace, capacity: number): number {
  // A set of blocks is a bit mask; of each reachable one the most hits so far.
  let states = new Map<number, number>([[0, 0]]);
  for (const request of requestsOf(trace)) {
    const next = new Map<number, number>();
    const own = request.reduce((mask, block) => mask | (1 << block), 0);
    for (const [mask, hits] of states) {
      const now = hits + prefixHits(request, (block) => ((mask >> block) & 1) === 1);
      for (const kept of subsets(mask | own)) {
        if (bits(kept) <= capacity && (next.get(kept) ?? -1) < now) next.set(kept, now);
      }
    }
    states = next;
  }
  return Math.max(...states.values());
}

function subsets(mask: number): number[] {
  const found = [0];
  for (let subset = mask; subset > 0; subset = (subset - 1) & mask) found.push(subset);
  return found;
}

function bits(mask: number): number {
  return mask === 0 ? 0 : (mask & 1) + bits(mask >>> 1);
}

async function published(context: TestContext, name: TraceName): Promise<Trace> {
  const trace = await loadTrace(name);
  return trace ?? context.skip(`${dataFolder()} has no such trace (set CENOTE_DATA)`);
}

describe('exact LRU', () => {
  it('equals a list in order of use', () => {
    const property = fc.property(
      chains(40, 60),
      fc.integer({ min: 1, max: 30 }),
      (requests, capacity) => {
        const trace = traceOf(requests);
        const { hits, evictions } = played(trace, 'lru', capacity);
        expect({ hits, evictions }).toEqual(naiveLru(trace, capacity));
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
  });

  it('counts a block only when all before it are there', () => {
    // Block 1 is still there when 2 and 1 are asked for, but 2 is not.
    expect(
      played(
        traceOf([
          [0, 1],
          [2, 1],
        ]),
        'lru',
        9,
      ).hits,
    ).toBe(0);
    expect(
      played(
        traceOf([
          [0, 1],
          [0, 2],
          [0, 1],
        ]),
        'lru',
        9,
      ).hits,
    ).toBe(3);
  });

  it('lets go of the deepest of blocks that were used together', () => {
    expect(
      played(
        traceOf([
          [0, 1, 2, 3],
          [0, 1, 2, 3],
        ]),
        'lru',
        3,
      ).hits,
    ).toBe(3);
  });

  // The published traces, at the capacities that other simulators were run at.
  it.for([
    ['conversation', 1000, 0.0445],
    ['conversation', 2000, 0.0543],
    ['conversation', 5000, 0.1118],
    ['conversation', 10_000, 0.2116],
    ['conversation', 50_000, 0.3546],
    ['agentic', 1000, 0.1912],
    ['agentic', 2000, 0.5038],
    ['agentic', 5000, 0.8817],
  ] as const)('hits what is known of %s at %i blocks', async ([name, capacity, ratio], context) => {
    const trace = await published(context, name);
    const { hits } = played(trace, 'lru', capacity);
    expect(Math.abs(hits / trace.references.length - ratio)).toBeLessThan(0.0001);
  });
});

describe('the offline optimum', () => {
  it('is what the best of all decisions leads to', () => {
    const property = fc.property(
      chains(6, 7),
      fc.integer({ min: 1, max: 5 }),
      (requests, capacity) => {
        const trace = traceOf(requests);
        expect(played(trace, 'min', capacity).hits).toBe(mostHits(trace, capacity));
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
  });

  it('never hits less than LRU, and hits every repetition when all fit', () => {
    const property = fc.property(
      chains(50, 80),
      fc.integer({ min: 1, max: 60 }),
      (requests, capacity) => {
        const trace = traceOf(requests);
        const best = played(trace, 'min', capacity);
        expect(best.hits).toBeGreaterThanOrEqual(played(trace, 'lru', capacity).hits);
        if (capacity < trace.distinct) return;
        expect(best.hits).toBe(trace.references.length - trace.distinct);
        expect(best.evictions).toBe(0);
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
  });

  it.for([
    ['conversation', 1000, 0.1907],
    ['conversation', 2000, 0.255],
    ['conversation', 5000, 0.3412],
    ['conversation', 10_000, 0.3664],
    ['agentic', 1000, 0.5206],
    ['agentic', 2000, 0.7473],
    ['agentic', 5000, 0.9281],
  ] as const)('hits what is known of %s at %i blocks', async ([name, capacity, ratio], context) => {
    const trace = await published(context, name);
    const { hits } = played(trace, 'min', capacity);
    expect(Math.abs(hits / trace.references.length - ratio)).toBeLessThan(0.0001);
  });
});

describe('MaxHeap', () => {
  it('gives ranks from high to low, of those that are retained', () => {
    const property = fc.property(
      fc.array(fc.nat({ max: 50 })),
      fc.nat({ max: 4 }),
      (ranks, odd) => {
        const heap = new MaxHeap();
        for (const [block, rank] of ranks.entries()) heap.push(rank, block);
        heap.retain((rank) => rank % 5 !== odd);
        const expected = ranks.filter((rank) => rank % 5 !== odd).sort((a, b) => b - a);
        const given: number[] = [];
        for (; heap.size > 0; heap.pop()) {
          given.push(heap.rank);
          expect(ranks[heap.block]).toBe(heap.rank);
        }
        expect(given).toEqual(expected);
      },
    );
    fc.assert(property, { seed: seed() });
  });
});

describe('a block trace of libCacheSim', () => {
  const mib = 2 ** 20;

  it.for([
    ['lru', 'test_LRU'],
    ['fifo', 'test_FIFO'],
    ['belady', 'test_Belady'],
  ] as const)('misses in %s as often as libCacheSim says', async ([policy, test], context) => {
    const trace = await published(context, 'cloudPhysics');
    const { algos } = JSON.parse(
      readFileSync(join(dataFolder(), 'libcachesim_expected_misses.json'), 'utf8'),
    ) as { readonly algos: Readonly<Record<string, { readonly miss_cnt: readonly number[] }>> };
    const expected = algos[test]?.miss_cnt ?? [];
    expect(expected).toHaveLength(8);
    const misses = expected.map((_, step) => sizedMisses(trace, policy, (step + 1) * 128 * mib));
    expect(misses).toEqual(expected);
  });

  it('refuses a trace without sizes', () => {
    expect(() => sizedMisses(traceOf([[1]]), 'lru', mib)).toThrow('does not tell how large');
  });
});
