/** The optimum that a cache is told beside its own hits. */

import { describe, expect, it } from 'vitest';
import { dataFolder, loadTrace } from '../../bench/traces/load.ts';
import { Random } from '../../src/base/random.ts';
import { keyWords } from '../../src/evict/api.ts';
import { KvCache } from '../../src/kv/kv-cache.ts';
import { LiveOptimum, type LiveOptimumOptions } from '../../src/kv/live-optimum.ts';
import { Simulation } from '../../src/kv/replay/cache.ts';
import { syntheticTrace } from '../../src/kv/traces/synthetic.ts';
import { requestCount, TraceBuilder, type Trace } from '../../src/kv/traces/trace.ts';
import { seed } from '../support/seed.ts';

/** Requests of a trace under keys as a cache makes them: any bits. */
function told(trace: Trace, options: LiveOptimumOptions, hits = 0): LiveOptimum {
  const live = new LiveOptimum(options);
  const low = Int32Array.from({ length: trace.distinct }, (_, block) => mixed(2 * block));
  const high = Int32Array.from({ length: trace.distinct }, (_, block) => mixed(2 * block + 1));
  let keys = new Int32Array(keyWords * 1024);
  for (let request = 0; request < requestCount(trace); request += 1) {
    const start = trace.starts[request] as number;
    const count = (trace.starts[request + 1] as number) - start;
    if (count * keyWords > keys.length) keys = new Int32Array(2 * count * keyWords);
    for (let depth = 0; depth < count; depth += 1) {
      const block = trace.references[start + depth] as number;
      keys[depth * keyWords] = low[block] as number;
      keys[depth * keyWords + 1] = high[block] as number;
    }
    live.note(keys, count, Math.min(hits, count));
  }
  return live;
}

function mixed(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return x ^ (x >>> 16);
}

/** What MIN hits of the last requests that have so many references. */
function offline(trace: Trace, places: number, windowReferences: number): number {
  let first = requestCount(trace);
  while (
    first > 0 &&
    trace.references.length - (trace.starts[first - 1] as number) <= windowReferences
  ) {
    first -= 1;
  }
  const builder = new TraceBuilder('window');
  for (let request = first; request < requestCount(trace); request += 1) {
    builder.begin(request);
    const end = trace.starts[request + 1] as number;
    for (let at = trace.starts[request] as number; at < end; at += 1) {
      builder.add(trace.references[at] as number);
    }
  }
  const window = builder.build();
  const simulation = new Simulation(window, 'min', places);
  simulation.play(requestCount(window));
  return simulation.hits / window.references.length;
}

const point = 0.01;

describe.each(['conversation', 'agentic'] as const)('on the %s trace', (name) => {
  it.for([1000, 5000, 20_000])(
    '%i blocks: within a point of the offline optimum',
    async (places, context) => {
      const trace =
        (await loadTrace(name)) ??
        context.skip(`${dataFolder()} has no such trace (set CENOTE_DATA)`);
      const windowReferences = Math.max(2 ** 18, 16 * places);
      const { optimumHitRatio } = told(trace, { places }).report();
      const expected = offline(trace, places, windowReferences);
      expect(Math.abs(optimumHitRatio - expected)).toBeLessThan(point);
    },
  );
});

it('is told by a cache that was asked to: how much it found, and how much could be found', () => {
  const options = { blocks: 4, blockTokens: 2, requestsMax: 1 };
  const cache = new KvCache({ ...options, optimum: true });
  // Of two prompts of three full blocks in turn LRU finds nothing; the optimum keeps one, and the first block of the other.
  for (let round = 0; round < 10; round += 1) {
    for (const first of [1, 2]) {
      cache.end(cache.prefill(Int32Array.of(first, 10, 11, 12, 13, 14, 15)));
    }
  }
  expect(cache.optimum()).toEqual({ references: 60, hitRatio: 0, optimumHitRatio: (9 * 4) / 60 });
  expect(new KvCache(options).optimum()).toBeUndefined();
});

describe('a window', () => {
  const trace = syntheticTrace('zipf', new Random(seed()), {
    requests: 5000,
    chains: 400,
    blocksPerChain: 12,
  });

  it('is exact as long as all is remembered', () => {
    const windowReferences = 10_000;
    const live = told(trace, { places: 500, windowReferences, sampleReferences: 12_000 }, 2);
    const report = live.report();
    expect(report.optimumHitRatio).toBeCloseTo(offline(trace, 500, windowReferences), 10);
    expect(report.references).toBeLessThanOrEqual(windowReferences);
    expect(report.hitRatio).toBeGreaterThan(0.1);
  });

  it('is estimated from a sample that stays within its bound', () => {
    const live = told(trace, { places: 1000, windowReferences: 30_000, sampleReferences: 8000 });
    const off = Math.abs(live.report().optimumHitRatio - offline(trace, 1000, 30_000));
    expect(off).toBeLessThan(8 * point);
  });

  it('may be empty, or of one request that is larger than the window', () => {
    const options = { places: 10, windowReferences: 4, sampleReferences: 4 };
    const nothing = { references: 0, hitRatio: 0, optimumHitRatio: 0 };
    expect(new LiveOptimum(options).report()).toEqual(nothing);
    const live = new LiveOptimum(options);
    live.note(
      Int32Array.from({ length: 100 * keyWords }, (_, at) => mixed(at)),
      100,
      3,
    );
    expect(live.report()).toMatchObject({ references: 100, hitRatio: 0.03 });
  });
});
