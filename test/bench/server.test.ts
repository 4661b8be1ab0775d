import { describe, expect, it, onTestFinished } from 'vitest';
import { runLoad } from '../../bench/server/load.ts';
import { parseBenchmark } from '../../bench/server/redis-benchmark.ts';
import { Histogram } from '../../src/base/histogram.ts';
import { openPool } from '../../src/pool/open.ts';
import { createServer } from '../../src/server/index.ts';

describe('redis-benchmark', () => {
  it('is read from its CSV', () => {
    const csv =
      '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"\n' +
      '"SET","101626.02","0.255","0.080","0.250","0.300","0.500","1.900"\n';
    expect(parseBenchmark(csv)).toEqual({
      opsPerSecond: 101_626.02,
      p50Ms: 0.25,
      p95Ms: 0.3,
      p99Ms: 0.5,
      maxMs: 1.9,
    });
  });

  it('is not believed when it says something else', () => {
    for (const csv of ['', 'Error from server: OOM', '"SET","0","1","1","1","1","1","1"']) {
      expect(() => parseBenchmark(csv)).toThrow(/redis-benchmark says/);
    }
  });
});

describe('the load of our own', () => {
  it.each(['set', 'get'] as const)('sends every %s and counts every reply', async (operation) => {
    const pool = await openPool({ capacityBytes: 64 * 2 ** 20 });
    const server = createServer({ pool, auth: 'none', http: { port: 0 }, resp: { port: 0 } });
    await server.listen();
    onTestFinished(async () => {
      await server.close({ deadlineMs: 0 });
      await pool.close();
    });
    const port = Number(new URL(server.respUrl as string).port);
    const load = { sizeBytes: 40_000, connections: 3, pipeline: 4, count: 500 };
    const latencies = new Histogram();
    await runLoad(port, { ...load, operation: 'set' }, latencies);
    if (operation === 'get') await runLoad(port, { ...load, operation }, latencies);
    expect(server.respStats()).toMatchObject({ commands: operation === 'get' ? 1000 : 500 });
    expect(latencies.quantile(0.5)).toBeGreaterThan(0);
    expect(pool.stats().parts).toBe(16);
  });
});
