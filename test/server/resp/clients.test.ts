/** The clients that people use, unchanged, doing real work. */

import { Decoder, GlideClient, Batch } from '@valkey/valkey-glide';
import { Redis } from 'ioredis';
import { Redis as Valkey } from 'iovalkey';
import { createClient, RESP_TYPES } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';

import { Keyring } from '../../../src/server/index.ts';
import { testKey } from '../support/client.ts';
import { temporaryFolder } from '../support/serve.ts';
import { pattern, serveResp, type RespTestServer } from './support/serve.ts';
import { hasTool, runTool, toolsMissing, typeInto } from './support/tools.ts';

const mib = 2 ** 20;
const large = pattern(4 * mib);
const binary = Buffer.from([0, 13, 10, 0xff, 0x80, 0x24]);

interface Served extends RespTestServer {
  readonly port: number;
}

async function start(): Promise<Served> {
  const path = await temporaryFolder();
  const server = await serveResp(
    {},
    { auth: Keyring.of(testKey), pool: { path, capacityBytes: 128 * mib } },
  );
  return { ...server, port: Number(new URL(server.respUrl).port) };
}

/** Nothing was refused that a client asked for by itself, but what it can do without. */
function expectHealthy({ server, errors, pool }: Served, refused: number): void {
  const stats = server.respStats();
  expect(errors).toEqual([]);
  const refusals = Object.values(stats?.errors ?? {}).reduce((sum, count) => sum + count, 0);
  expect(refusals).toBe(refused);
  expect(stats?.inFlightBytes).toBe(0);
  expect(pool.check()).toMatchObject({ ok: true });
}

/** ioredis and its fork have one interface. */
async function workOut(client: Redis, server: Served): Promise<void> {
  expect(await client.set('k', 'v')).toBe('OK');
  expect(await client.get('k')).toBe('v');
  expect(await client.get('none')).toBeNull();
  expect(await client.set('large', large)).toBe('OK');
  expect((await client.getBuffer('large'))?.equals(large)).toBe(true);
  await client.set(binary, binary, 'EX', 100);
  expect(await client.getBuffer(binary)).toEqual(binary);
  expect(await client.ttl(binary)).toBe(100);
  expect(await client.hset('h', { a: '1', b: '2' })).toBe(2);
  expect(await client.hgetall('h')).toEqual({ a: '1', b: '2' });
  expect(await client.hmget('h', 'a', 'none')).toEqual(['1', null]);

  const pipeline = client.pipeline();
  for (let i = 0; i < 500; i++) pipeline.set(`p${i}`, `v${i}`).get(`p${i}`);
  const results = (await pipeline.exec()) ?? [];
  expect(results).toHaveLength(1000);
  for (const [i, [error, value]] of results.entries()) {
    expect([error, value]).toEqual([null, i % 2 === 0 ? 'OK' : `v${(i - 1) / 2}`]);
  }
  const keys = new Set<string>();
  for await (const page of client.scanStream({ match: 'p*', count: 100 })) {
    for (const key of page as string[]) keys.add(key);
  }
  expect(keys.size).toBe(500);
  expect(await client.exists('k', 'none')).toBe(1);
  expect(await client.pexpire('k', 60_000)).toBe(1);
  expect(await client.pttl('k')).toBeGreaterThan(50_000);
  expect(await client.del('k', 'h')).toBe(2);
  await expect(client.call('NOSUCH')).rejects.toThrow(/^ERR unknown command 'NOSUCH'/);
  await client.quit();
  expectHealthy(server, 1);
}

describe('clients', () => {
  it('ioredis', async () => {
    const server = await start();
    const client = new Redis({ host: '127.0.0.1', port: server.port, password: testKey });
    onTestFinished(() => client.disconnect());
    await workOut(client, server);
  });

  it('iovalkey', async () => {
    const server = await start();
    const client = new Valkey({ host: '127.0.0.1', port: server.port, password: testKey });
    onTestFinished(() => client.disconnect());
    await workOut(client as unknown as Redis, server);
  });

  it.each([2, 3] as const)('node-redis with RESP%s', async (RESP) => {
    const server = await start();
    const url = `redis://127.0.0.1:${server.port}`;
    const client = createClient({ url, password: testKey, RESP, name: 'worker' });
    client.on('error', (error) => server.errors.push(error));
    await client.connect();
    onTestFinished(() => {
      if (client.isOpen) client.destroy();
    });
    const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    expect(await client.set('k', 'v', { expiration: { type: 'EX', value: 100 } })).toBe('OK');
    expect(await client.ttl('k')).toBe(100);
    expect(await client.set('k', 'w', { condition: 'NX' })).toBeNull();
    await client.set('large', large);
    expect((await bytes.get('large'))?.equals(large)).toBe(true);
    await client.set(binary, binary);
    expect(await bytes.get(binary)).toEqual(binary);
    expect(await client.hSet('h', { a: '1', b: '2' })).toBe(2);
    expect({ ...(await client.hGetAll('h')) }).toEqual({ a: '1', b: '2' });
    // Commands of one tick go out together.
    const sets = Array.from({ length: 500 }, (_, i) => client.set(`p${i}`, `v${i}`));
    const gets = Array.from({ length: 500 }, (_, i) => client.get(`p${i}`));
    expect(new Set(await Promise.all(sets))).toEqual(new Set(['OK']));
    expect((await Promise.all(gets))[499]).toBe('v499');
    const keys: string[] = [];
    for await (const page of client.scanIterator({ MATCH: 'p*' })) keys.push(...page);
    expect(keys).toHaveLength(500);
    expect(await client.mGet(['k', 'none'])).toEqual(['v', null]);
    expect(await client.dbSize()).toBe(504);
    expect(await client.del(['k', 'large'])).toBe(2);
    expect(await client.ping()).toBe('PONG');
    await client.close();
    // It asks for notices of maintenance, and goes on without.
    expectHealthy(server, server.server.respStats()?.errors['invalid_argument'] ?? 0);
  });

  it('valkey-glide', async () => {
    const server = await start();
    const client = await GlideClient.createClient({
      addresses: [{ host: '127.0.0.1', port: server.port }],
      credentials: { password: testKey },
      requestTimeout: 30_000,
      clientName: 'worker',
    });
    onTestFinished(() => client.close());
    expect(await client.set('k', 'v')).toBe('OK');
    expect(await client.get('k')).toBe('v');
    expect(await client.set('large', large)).toBe('OK');
    const back = await client.get('large', { decoder: Decoder.Bytes });
    expect((back as Buffer).equals(large)).toBe(true);
    await client.set(binary, binary);
    expect(await client.get(binary, { decoder: Decoder.Bytes })).toEqual(binary);
    expect(await client.hset('h', { a: '1', b: '2' })).toBe(2);
    expect(await client.hgetall('h')).toEqual([
      { field: 'a', value: '1' },
      { field: 'b', value: '2' },
    ]);
    expect(await client.expire('k', 100)).toBe(true);
    expect(await client.ttl('k')).toBe(100);
    const batch = new Batch(false);
    for (let i = 0; i < 200; i++) batch.set(`p${i}`, `v${i}`).get(`p${i}`);
    const results = await client.exec(batch, true);
    expect(results).toHaveLength(400);
    expect(results?.[399]).toBe('v199');
    expect(await client.mget(['k', 'none'])).toEqual(['v', null]);
    const [cursor, keys] = await client.scan('0', { match: 'p*', count: 1000 });
    expect([cursor, keys.length]).toEqual(['0', 200]);
    expect(await client.del(['k', 'h'])).toBe(2);
    expect(await client.info()).toContain('redis_version');
    expectHealthy(server, server.server.respStats()?.errors['invalid_argument'] ?? 0);
  });
});

describe('programs', () => {
  it('redis-cli', async (context) => {
    if (!hasTool('redis-cli')) context.skip(toolsMissing);
    const server = await start();
    const cli = (words: readonly string[], input?: Uint8Array) =>
      runTool('redis-cli', ['-p', String(server.port), ...words], input, {
        REDISCLI_AUTH: testKey,
      });
    const say = async (...words: string[]): Promise<string> =>
      (await cli(words)).stdout.toString().trim();
    expect(await say('PING')).toBe('PONG');
    expect(await say('SET', 'k', 'hello world', 'EX', '100')).toBe('OK');
    expect(await say('TTL', 'k')).toBe('100');
    expect(await say('HSET', 'h', 'a', '1')).toBe('1');
    expect(await say('-3', 'HGETALL', 'h')).toBe('a 1');
    expect((await cli(['-x', 'SET', 'large'], large)).stdout.toString()).toBe('OK\n');
    const back = (await cli(['--raw', 'GET', 'large'])).stdout;
    expect(back.subarray(0, large.length).equals(large)).toBe(true);
    expect((await say('--scan')).split('\n').sort()).toEqual(['h', 'k', 'large']);
    const lines = Array.from({ length: 1000 }, (_, i) => `SET p${i} v${i}\r\n`).join('');
    const piped = await cli(['--pipe'], Buffer.from(lines));
    expect(piped.stdout.toString()).toContain('errors: 0, replies: 1000');
    expect(await say('DBSIZE')).toBe('1003');
    expect(await say('INFO', 'server')).toContain('server_name:cenote');
    expectHealthy(server, 0);
    const typed = await typeInto(
      'redis-cli',
      ['-p', String(server.port), '-a', testKey],
      ['get k', 'nosuch', 'get k'],
    );
    expect(typed).toMatch(/hello world[^]*unknown command[^]*hello world/);
  });

  it('redis-benchmark', async (context) => {
    if (!hasTool('redis-benchmark')) context.skip(toolsMissing);
    const server = await start();
    for (const [tests, sizeBytes, pipeline, count] of [
      ['set,get,mset', 1024, 1, 2000],
      ['set,get,mset', 1024, 16, 4000],
      ['set,get', 65_536, 16, 400],
      ['set,get', 4 * mib, 1, 20],
      ['set,get', 4 * mib, 16, 32],
    ]) {
      const words = `-p ${server.port} -a ${testKey} -t ${tests} -d ${sizeBytes} -P ${pipeline} -n ${count} -c 4 -r 10 --csv`;
      const { code, stdout, stderr } = await runTool('redis-benchmark', words.split(' '));
      expect(stderr).not.toMatch(/error/i);
      expect(code).toBe(0);
      expect(stdout.toString()).toMatch(/"SET"[^]*"GET"/);
    }
    expectHealthy(server, 0);
  });
});
