import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Trace } from '../../../src/kv/traces/trace.ts';
import { testKey } from '../../server/support/client.ts';
import { serve } from '../../server/support/serve.ts';
import { Scratch } from '../support/cli.ts';
import { run } from '../support/pools.ts';
import { RespServer } from '../support/resp-server.ts';
import { testIo } from '../support/text-io.ts';
import { generated, lruHits, written } from '../support/traces.ts';
import { hasCommand } from '../../support/children.ts';

const reportKeys =
  'trace target blockBytes concurrency speed complete requests blockRefs hits hitRatio wrong late refused ' +
  'readBytes writtenBytes seconds blocksPerSecond latencyMs';

interface Report {
  readonly [key: string]: unknown;
  readonly hits: number;
  readonly latencyMs: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Replays over one connection, where blocks come and go in a known order. */
async function replayed(trace: Trace, target: string, blockBytes: number): Promise<Report> {
  using scratch = new Scratch();
  const words = ['replay', written(scratch, trace), '--target', target, '--json'];
  const size = ['--block-bytes', String(blockBytes), '--concurrency', '1'];
  const { code, stdout } = await run([...words, ...size]);
  expect(code).toBe(0);
  return JSON.parse(stdout.text) as Report;
}

describe('cenote replay against a server', () => {
  /** What a run must say when everything fits. */
  function expectAll(report: Report, trace: Trace, blockBytes: number): void {
    const references = trace.references.length;
    const hits = references - trace.distinct;
    expect(Object.keys(report).join(' ')).toBe(reportKeys);
    expect(report).toMatchObject({
      complete: true,
      blockRefs: references,
      hits,
      wrong: 0,
      refused: {},
    });
    expect(report).toMatchObject({ hitRatio: hits / references, blockBytes, speed: 'flat' });
    expect(report['readBytes']).toBe(hits * blockBytes);
    expect(report['writtenBytes']).toBe(trace.distinct * blockBytes);
    const counts = Object.entries(report.latencyMs).map(([what, { count }]) => [what, count]);
    expect(Object.fromEntries(counts)).toMatchObject({
      read: hits,
      write: trace.distinct,
      request: trace.arrivalsMs.length,
    });
    for (const { p50, p95, p99, max } of Object.values(report.latencyMs) as Record<
      string,
      number
    >[]) {
      expect([p50, p95, p99, max]).toEqual(
        [p50, p95, p99, max].sort((a, b) => Number(a) - Number(b)),
      );
    }
  }

  it('over RESP hits every block that it has written', async () => {
    const server = await RespServer.start();
    const trace = generated(150);
    expectAll(await replayed(trace, server.url, 512), trace, 512);
    expect(server.blocks.size).toBe(trace.distinct);
    expect(Math.min(...server.ttls)).toBe(3_600_000);
    // A second run writes blocks of its own.
    expectAll(await replayed(trace, server.url, 8), trace, 8);
    expect(server.blocks.size).toBe(2 * trace.distinct);
  });

  it('over HTTP hits every block that it has written', async () => {
    const { url, pool } = await serve();
    const trace = generated(60);
    const target = url.replace('//', `//:${testKey}@`);
    expectAll(await replayed(trace, target, 100), trace, 100);
    expect(pool.stats()).toMatchObject({
      contexts: trace.distinct,
      partBytes: trace.distinct * 100,
    });
    const [first] = pool.list({ limit: 1 });
    expect(first?.id).toMatch(/^replay:[0-9a-z]+:\d+$/);
    expect(pool.describe(first?.id as string, 'value')?.expiresAtMs).toBeGreaterThan(Date.now());
  });

  it('over HTTP hits about what LRU would where not all fits', async () => {
    const { url, pool } = await serve({ pool: { capacityBytes: 4 * 2 ** 20 }, auth: 'none' });
    const trace = generated(250);
    const report = await replayed(trace, url, 4000);
    const { parts, operations } = pool.stats();
    expect(operations.evictions).toBeGreaterThan(0);
    const references = trace.references.length;
    expect(Math.abs(report.hits - lruHits(trace, parts)) / references).toBeLessThan(0.05);
  });

  it('against a Redis server', async (context) => {
    if (!hasCommand('redis-server')) context.skip('no redis-server: apt-get install redis-server');
    const trace = generated(150);
    expectAll(await replayed(trace, await redis(), 1000), trace, 1000);
  });

  it('prints a table', async () => {
    using scratch = new Scratch();
    const server = await RespServer.start({ maxBlocks: 40 });
    const path = written(scratch, generated(30));
    const { code, stdout, stderr } = await run(['replay', path, '--target', server.url]);
    expect(code).toBe(0);
    const text = stdout.text;
    for (const name of [
      'requests',
      'blocks',
      'hits',
      'read',
      'written',
      'latency',
      'whole request',
    ])
      expect(text).toMatch(new RegExp(`^ *${name} `, 'm'));
    expect(text).toMatch(/^ {2}refused +[\d,]+ × OOM: OOM all is full$/m);
    expect(text).toMatch(/^latency +count +p50 +p95 +p99 +longest$/m);
    expect(stderr.text).toContain('100 %');
  });

  it('fails when blocks hold other bytes than were written', async () => {
    using scratch = new Scratch();
    const server = await RespServer.start({ corrupt: true });
    const words = ['replay', written(scratch, generated(30)), '--target', server.url, '--json'];
    const { code, stdout } = await run(words);
    expect(code).toBe(1);
    const report = JSON.parse(stdout.text) as Report;
    expect(report).toMatchObject({ complete: true, hits: 0 });
    expect(report['wrong']).toBeGreaterThan(0);
  });

  it('shows what was played when the server goes', async () => {
    using scratch = new Scratch();
    const server = await RespServer.start({ after: { commands: 500, say: 'close' } });
    const words = ['replay', written(scratch, generated(100)), '--target', server.url, '--json'];
    const { code, stdout, stderr } = await run(words);
    expect(code).toBe(1);
    const report = JSON.parse(stdout.text) as Report;
    expect(report['complete']).toBe(false);
    expect(report['requests']).toBeGreaterThan(0);
    expect(stderr.text).toContain('"code":"target_unavailable"');
  });

  it('shows what was played when it is interrupted', async () => {
    using scratch = new Scratch();
    const path = written(scratch, generated(100));
    const server = await RespServer.start();
    const set = server.blocks.set.bind(server.blocks);
    server.blocks.set = (id, bytes) => {
      if (server.blocks.size === 100) process.emit('SIGINT', 'SIGINT');
      return set(id, bytes);
    };
    const { code, stdout, stderr } = await run(['replay', path, '--target', server.url]);
    expect(code).toBe(130);
    expect(stdout.text).toContain('whole request');
    expect(stderr.text).toContain('interrupted: this is what was played');
    expect(server.blocks.size).toBeGreaterThanOrEqual(100);
  });

  it('keeps keys to itself', async () => {
    using scratch = new Scratch();
    const server = await RespServer.start({ key: 'right' });
    const path = written(scratch, generated(5));
    const target = server.url.replace('//', '//:mistyped@');
    const { code, stdout, stderr } = await run(['replay', path, '--target', target]);
    expect(code).toBe(1);
    expect(stderr.text).toContain('error[unauthorized]: ');
    expect(stdout.text + stderr.text).not.toContain('mistyped');
    const io = testIo({ env: { CENOTE_API_KEY: 'right' } });
    expect((await run(['replay', path, '--target', server.url], io)).code).toBe(0);
  });
});

/** Starts Debian's Redis on a free port, for one test. @returns where it listens */
async function redis(): Promise<string> {
  // Redis takes no port 0: a port that was free a moment ago has to do.
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', words, { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('Ready to accept connections')) return `resp://127.0.0.1:${port}`;
  }
  throw new Error('redis-server ended before it listened');
}
