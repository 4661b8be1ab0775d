import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { conversationShape, generateTrace } from '../../src/kv/traces/generate.ts';
import { dataFolder, tracePath } from '../../bench/traces/load.ts';
import { policyNames, Simulation } from '../../src/kv/replay/cache.ts';
import type { Trace } from '../../src/kv/traces/trace.ts';
import { requestsOf } from '../kv/support.ts';
import { testKey } from '../server/support/client.ts';
import { serve } from '../server/support/serve.ts';
import { seed } from '../support/seed.ts';
import { cenote, Scratch } from './support/cli.ts';
import { run } from './support/pools.ts';
import { RespServer } from './support/resp-server.ts';
import { testIo } from './support/text-io.ts';

function generated(sessions: number): Trace {
  return generateTrace({ ...conversationShape, sessions, blocksMax: 60 }, seed());
}

/** A trace as a file that `replay` reads. */
function written(scratch: Scratch, trace: Trace): string {
  const lines = requestsOf(trace).map((blocks, request) =>
    JSON.stringify({ timestamp: trace.arrivalsMs[request], hash_ids: blocks }),
  );
  const path = scratch.join('trace.jsonl');
  writeFileSync(path, lines.join('\n'));
  return path;
}

function lruHits(trace: Trace, capacity: number): number {
  const simulation = new Simulation(trace, 'lru', capacity);
  simulation.play(Infinity);
  return simulation.hits;
}

describe('cenote replay in process', () => {
  it('prints one row as the contract says', async () => {
    using scratch = new Scratch();
    const trace = generated(200);
    const words = ['replay', written(scratch, trace), '--capacity-blocks', '300', '--json'];
    const { code, stdout, stderr } = await run(words);
    expect(code).toBe(0);
    const row = JSON.parse(stdout.text) as Record<string, unknown>;
    expect(Object.keys(row).join(' ')).toBe(
      'trace policy capacityBlocks requests blockRefs hits hitRatio minHitRatio evictions blocksPerSecond',
    );
    const hits = lruHits(trace, 300);
    expect(row).toMatchObject({
      trace: 'trace.jsonl',
      policy: 'lru',
      capacityBlocks: 300,
      requests: trace.arrivalsMs.length,
      blockRefs: trace.references.length,
      hits,
      hitRatio: hits / trace.references.length,
    });
    expect(row['minHitRatio']).toBeGreaterThanOrEqual(row['hitRatio'] as number);
    expect(stderr.text).toContain('requests');
  });

  it('prints a table, or an array, of several', async () => {
    using scratch = new Scratch();
    const path = written(scratch, generated(100));
    const words = ['replay', path, '--policy', 'all', '--capacity-blocks', '100,1000'];
    const table = (await run(words)).stdout.text.trimEnd().split('\n');
    expect(table[0]).toMatch(/^policy +capacity +hits +hit ratio +optimum +evictions +blocks\/s$/);
    expect(table.slice(1).map((line) => line.split(/ +/).slice(0, 2))).toEqual([
      ...policyNames.map((name) => [name, '100']),
      ...policyNames.map((name) => [name, '1,000']),
    ]);
    const rows = JSON.parse((await run([...words, '--json'])).stdout.text) as object[];
    expect(rows).toMatchObject([...policyNames, ...policyNames].map((policy) => ({ policy })));
  });

  it('plays a trace that it makes itself, the same each time', async () => {
    const words = ['--capacity-blocks', '2000', '--json'];
    const [first, again, other] = await Promise.all(
      ['generated:conversation', 'generated:conversation:1', 'generated:conversation:2'].map(
        async (name) => JSON.parse((await run(['replay', name, ...words])).stdout.text) as object,
      ),
    );
    expect(first).toMatchObject({ trace: 'generated conversation', policy: 'lru' });
    expect({ ...again, blocksPerSecond: 0 }).toEqual({ ...first, blocksPerSecond: 0 });
    expect(other).not.toMatchObject({ hits: (first as { readonly hits: number }).hits });
    for (const name of [
      'generated:',
      'generated:chat',
      'generated:agentic:x',
      'generated:agentic:1:2',
    ]) {
      const { code, stderr } = await run(['replay', name]);
      expect(code).toBe(2);
      expect(stderr.text).toContain('is no generated trace');
    }
  });

  it('draws what it printed', async () => {
    using scratch = new Scratch();
    const path = written(scratch, generated(100));
    const picture = join(scratch.path, 'hits.svg');
    const words = ['--policy', 'all', '--capacity-blocks', '100,1000', '--plot', picture];
    expect((await run(['replay', path, ...words])).code).toBe(0);
    const svg = readFileSync(picture, 'utf8');
    for (const policy of policyNames) expect(svg).toContain(`>${policy}</text>`);
    expect(svg.match(/<polyline/g)).toHaveLength(policyNames.length);
  });

  it('counts what plain caches of bytes miss', async (context) => {
    const path =
      tracePath('cloudPhysics') ??
      context.skip(`${dataFolder()} has no such trace (set CENOTE_DATA)`);
    const words = ['--policy', 'all', '--capacity-bytes', '128MiB', '--json'];
    const { code, stdout } = await run(['replay', path, ...words]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout.text)).toMatchObject([
      { policy: 'lru', misses: 93_374, requests: 113_872, capacityBytes: 128 * 2 ** 20 },
      { policy: 'fifo', misses: 93_403 },
      { policy: 'belady', misses: 79_256 },
    ]);
  });

  it('hits what is known of the conversation trace', async (context) => {
    const path =
      tracePath('conversation') ??
      context.skip(`${dataFolder()} has no such trace (set CENOTE_DATA)`);
    const words = ['replay', path, '--policy', 'lru', '--capacity-blocks', '5000', '--json'];
    const { code, stdout } = await cenote(words);
    expect(code).toBe(0);
    const row = JSON.parse(stdout) as { readonly hitRatio: number; readonly minHitRatio: number };
    expect(Math.abs(row.hitRatio - 0.1118)).toBeLessThanOrEqual(0.0002);
    expect(Math.abs(row.minHitRatio - 0.3412)).toBeLessThanOrEqual(0.0002);
  });

  it('shows what was played when it is interrupted', async () => {
    using scratch = new Scratch();
    const path = written(scratch, generated(900));
    const io = testIo({ isTTY: true });
    const write = io.stderr.write.bind(io.stderr);
    let interrupted = false;
    io.stderr.write = (text) => {
      // The first drawing of the progress is within the first run.
      if (!interrupted && text.includes('%') && text.startsWith('\r')) {
        interrupted = true;
        process.emit('SIGINT', 'SIGINT');
      }
      return write(text);
    };
    const { code, stdout } = await run(['replay', path, '--capacity-blocks', '10,20'], io);
    expect(interrupted).toBe(true);
    expect(code).toBe(130);
    expect(stdout.text).toContain('policy');
    expect(io.stderr.text).toContain('interrupted: this is what was played');
  });

  it('prints no row that was not played', async () => {
    using scratch = new Scratch();
    const io = testIo();
    const write = io.stderr.write.bind(io.stderr);
    io.stderr.write = (text) => {
      // The line that says what the trace is comes before the first run.
      if (text.includes('distinct')) process.emit('SIGINT', 'SIGINT');
      return write(text);
    };
    const path = written(scratch, generated(20));
    const { code, stdout } = await run(['replay', path, '--capacity-blocks', '9', '--json'], io);
    expect(code).toBe(130);
    expect(JSON.parse(stdout.text)).toEqual([]);
  });

  it.each([
    [
      ['--policy', 'sieve'],
      "--policy 'sieve' is not known",
      `Policies: ${policyNames.join(', ')}, all.`,
    ],
    [
      ['--format', 'zip'],
      "--format 'zip' is not known",
      'Formats: mooncake, azure, csv, oraclegeneral.',
    ],
    [['--capacity-blocks', '5,0'], "--capacity-blocks '0' is not a whole number from 1", ''],
    [['--capacity-blocks', ''], '--capacity-blocks needs a value', ''],
    [['--capacity-bytes', '1MiB', '--plot', 'x'], '--plot does not go with', ''],
    [['--capacity-bytes', '1MiB', '--in-flight'], '--in-flight does not go with', ''],
    [['--in-flight', '--policy', 'arc'], "--policy 'arc' is not known", 'lru, lfu, hazard, all.'],
    [['--target', 'resp://h', '--in-flight'], '--in-flight is for a replay in process', ''],
    [['--speed', '2'], '--speed is for a replay on a server', 'cenote replay --help'],
    [['--target', 'resp://h', '--policy', 'lru'], '--policy is for a replay in process', ''],
    [['--target', 'h:1'], "--target 'h:1' is not resp://HOST:PORT", 'CENOTE_API_KEY'],
    [['--target', 'resp://h', '--speed', '0'], "--speed '0' is neither flat nor a number", ''],
    [['--target', 'resp://h', '--block-bytes', '7'], "--block-bytes '7' is not a size from 8", ''],
    [['--target', 'resp://h', '--concurrency', '0'], "--concurrency '0' is not a whole number", ''],
  ])('refuses %j', async (words, message, advice) => {
    const { code, stdout, stderr } = await run(['replay', './no/such.jsonl', ...words]);
    expect(code).toBe(2);
    expect(stdout.text).toBe('');
    expect(stderr.text).toContain('error[invalid_argument]: ');
    expect(stderr.text).toContain(message);
    expect(stderr.text).toContain(advice);
  });

  it('says what is wrong with a trace', async () => {
    using scratch = new Scratch();
    const path = scratch.join('broken.jsonl');
    writeFileSync(path, '{"timestamp": 1}\n');
    const { code, stderr } = await run(['replay', path]);
    expect(code).toBe(1);
    expect(stderr.text).toContain(`error[trace_malformed]: ${path}: line 1 has no hash_ids`);
  });
});

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
    if (spawnSync('redis-server', ['--version']).status !== 0)
      context.skip('no redis-server: apt-get install redis-server');
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
