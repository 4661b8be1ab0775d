import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dataFolder, tracePath } from '../../bench/traces/load.ts';
import { policyNames } from '../../src/kv/replay/cache.ts';
import { cenote, Scratch } from './support/cli.ts';
import { run } from './support/pools.ts';
import { testIo } from './support/text-io.ts';
import { generated, lruHits, written } from './support/traces.ts';

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
