/** `cenote serve --workers`: several processes on the same pools, as one server. */

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isRunning } from '../../src/base/running.ts';
import { missingEngine } from '../engine/support/models.ts';
import { until } from '../support/until.ts';
import { cenote, Scratch, Serving } from './support/cli.ts';
import { Connection, startPair, workersOf } from './support/workers.ts';

function seriesOf(page: string, name: string): number {
  const line = page.split('\n').find((text) => text.startsWith(`cenote_${name}`));
  return Number(line?.split(' ').at(-1));
}

describe('serve --workers', () => {
  it('shows all workers the same contexts, and the same numbers', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    const [one, two] = pair;
    for (let i = 0; i < 20; i++) {
      expect((await pair[i % 2]?.put(`c${i}`, `text ${i}`))?.status).toBe(201);
      expect(await pair[(i + 1) % 2]?.get(`c${i}`)).toBe(`text ${i}`);
    }
    expect((await one.put('c7', 'anew')).status).toBe(200);
    expect(await two.get('c7')).toBe('anew');
    const pages = [await one.send('GET', '/metrics'), await two.send('GET', '/metrics')];
    for (const [i, { text }] of pages.entries()) {
      expect(seriesOf(text, 'workers')).toBe(2);
      expect(seriesOf(text, 'contexts{tenant="default"}')).toBe(20);
      expect(seriesOf(text, 'puts_total{tenant="default"}')).toBe(21);
      expect(seriesOf(text, 'hits_total{tenant="default"}')).toBeGreaterThanOrEqual(21);
      expect(seriesOf(text, 'http_responses_total{status="201"}')).toBe(20);
      expect(seriesOf(text, 'http_responses_total{status="200"}')).toBe(24 + i);
      expect(seriesOf(text, 'http_connections')).toBe(2);
    }
    const tenants = JSON.parse((await two.send('GET', '/v1/admin/tenants')).text) as {
      tenants: { operations: number }[];
    };
    expect(tenants.tenants[0]?.operations).toBe(45);
    for (const connection of pair) connection.close();
    expect((await server.stop()).code).toBe(0);
    expect(existsSync(scratch.join('data/control'))).toBe(false);
    const { stdout } = await cenote(['check', scratch.join('data'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
  });

  it.skipIf(missingEngine())(
    'tells what all engines have done, whichever worker is asked',
    async () => {
      using scratch = new Scratch();
      const { server, pair } = await startPair(scratch, ['--model', 'models/cenote-moby.gguf']);
      const [one, two] = pair;
      const body = JSON.stringify({ model: 'cenote-moby', prompt: 'Call me', max_tokens: 3 });
      const answers: unknown[] = [];
      for (const connection of [one, one, two]) {
        const { status, text } = await connection.send('POST', '/v1/completions', body);
        expect(status).toBe(200);
        answers.push((JSON.parse(text) as { usage: unknown }).usage);
      }
      const sum = (name: string): number =>
        (answers as Record<string, number>[]).reduce(
          (total, usage) => total + (usage[name] ?? 0),
          0,
        );
      const model = 'model="cenote-moby"';
      const counted = async (of: Connection): Promise<Record<string, number>> => {
        const page = (await of.send('GET', '/metrics')).text;
        const names = {
          requests: `engine_requests_total{${model}}`,
          first: `engine_first_token_seconds_count{${model}}`,
          waits: `engine_queue_wait_seconds_count{${model}}`,
          instances: `engine_instances{${model}}`,
          completion: `engine_tokens_total{${model},kind="completion"}`,
          cached: `engine_tokens_total{${model},kind="cached"}`,
          computed: `engine_tokens_total{${model},kind="computed"}`,
        };
        return Object.fromEntries(
          Object.entries(names).map(([name, series]) => [name, seriesOf(page, series)]),
        );
      };
      // They count when an answer is over for them, which may be just after its end is told.
      await until(async () => (await counted(one))['completion'] === sum('completion_tokens'));
      const pages = [await counted(one), await counted(two)];
      expect(pages[0]).toEqual(pages[1]);
      expect(pages[0]).toMatchObject({ requests: 3, first: 3, waits: 3, instances: 2, cached: 0 });
      expect(pages[0]?.['computed']).toBe(sum('prompt_tokens'));
      for (const connection of pair) connection.close();
      expect((await server.stop()).code).toBe(0);
    },
  );

  it('keeps the quotas of a tenant over all workers', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    const [admin] = pair;
    const quotas = JSON.stringify({ capacityBytes: 16 * 2 ** 20, opsPerSecond: 20, contexts: 10 });
    expect((await admin.send('PUT', '/v1/admin/tenants/acme', quotas)).status).toBe(201);
    const scopes = { tenant: 'acme', scopes: ['ctx:read', 'ctx:write'] };
    const made = await admin.send('POST', '/v1/admin/keys', JSON.stringify(scopes));
    const { key } = JSON.parse(made.text) as { key: string };
    const both = [new Connection(server, key), new Connection(server, key)] as const;
    // The worker that has not made the tenant takes it within a second or so.
    for (const connection of both) {
      await until(async () => (await connection.send('GET', '/v1/contexts')).status !== 401);
    }
    await until(async () => (await both[0].put('first', 'x')).status === 201);
    const fromMs = Date.now();
    let passed = 0;
    for (let i = 0; i < 120; i++) {
      const { status } = await (both[i % 2] as Connection).send(
        'GET',
        '/v1/contexts/first/parts/text',
      );
      if (status === 200) passed++;
      else expect(status).toBe(429);
    }
    const seconds = (Date.now() - fromMs) / 1000;
    expect(passed).toBeLessThanOrEqual(20 * (1 + seconds) + 1);
    expect(passed).toBeGreaterThan(0);
    for (const connection of [...pair, ...both]) connection.close();
    await server.stop();
  });

  it('loses no acknowledged write when a worker is killed, and starts another', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    const before = workersOf(server);
    expect(before).toHaveLength(2);
    for (let i = 0; i < 50; i++) await pair[i % 2]?.put(`c${i}`, `text ${i}`);
    process.kill(before[0] as number, 'SIGKILL');
    await until(() => {
      const now = workersOf(server);
      return now.length === 2 && !now.includes(before[0] as number);
    });
    for (const connection of pair) connection.close();
    const fresh = new Connection(server, server.key);
    for (let i = 0; i < 50; i++) expect(await fresh.get(`c${i}`)).toBe(`text ${i}`);
    expect(server.stderr).toContain('another takes its place');
    fresh.close();
    expect((await server.stop()).code).toBe(0);
    const { stdout } = await cenote(['check', scratch.join('data'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, contexts: 50 });
  });

  it('replaces its workers one by one on SIGHUP: clients that connect again lose nothing', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    for (const connection of pair) connection.close();
    const before = workersOf(server);
    let isOver = false;
    const client = async (name: string): Promise<number> => {
      let connection = new Connection(server, server.key);
      let written = 0;
      while (!isOver) {
        try {
          const { status } = await connection.put(`${name}-${written}`, `${written}`);
          if (status === 201) written++;
          else expect([200, 503]).toContain(status);
        } catch {
          connection.close();
          connection = new Connection(server, server.key);
        }
      }
      connection.close();
      return written;
    };
    const clients = ['a', 'b', 'c'].map((name) => client(name));
    process.kill(server.child.pid as number, 'SIGHUP');
    await until(() => {
      const now = workersOf(server);
      return now.length === 2 && before.every((pid) => !now.includes(pid));
    });
    isOver = true;
    const counts = await Promise.all(clients);
    const reader = new Connection(server, server.key);
    for (const [i, name] of ['a', 'b', 'c'].entries()) {
      const last = (counts[i] as number) - 1;
      expect(last).toBeGreaterThanOrEqual(0);
      expect(await reader.get(`${name}-0`)).toBe('0');
      expect(await reader.get(`${name}-${last}`)).toBe(String(last));
    }
    const page = (await reader.send('GET', '/metrics')).text;
    expect(seriesOf(page, 'workers')).toBe(2);
    // What the workers of before have counted is counted still.
    expect(seriesOf(page, 'http_responses_total{status="201"}')).toBe(
      counts.reduce((sum, count) => sum + count, 0),
    );
    reader.close();
    expect((await server.stop()).code).toBe(0);
  });

  it('has as many workers as before where one is killed while its successor starts', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    for (const connection of pair) connection.close();
    const before = workersOf(server);
    process.kill(server.child.pid as number, 'SIGHUP');
    process.kill(before[0] as number, 'SIGKILL');
    await until(() => {
      const now = workersOf(server);
      return now.length >= 2 && before.every((pid) => !now.includes(pid));
    });
    expect(server.stderr).not.toContain('another takes its place');
    expect(workersOf(server)).toHaveLength(2);
    expect((await server.stop()).code).toBe(0);
  });

  it('refuses a second server on its data, and settings that cannot be', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    for (const connection of pair) connection.close();
    const words = ['serve', '--http', '0', '--data', scratch.join('data')];
    const second = await cenote([...words, '--json']);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('pool_busy');
    const taken = new URL(server.url).port;
    const third = await cenote([
      'serve',
      '--workers',
      '2',
      '--http',
      taken,
      '--data',
      scratch.join('b'),
    ]);
    expect(third.code).toBe(1);
    expect(third.stderr).toContain(`port ${taken}`);
    expect((await cenote([...words, '--workers', '0'])).code).toBe(2);
    expect((await cenote([...words, '--workers', '32'])).code).toBe(2);
    await server.stop();
  });

  it('has workers that end in order when they find out by writing that it is gone', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    const workers = workersOf(server);
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    const asked = pair.map((connection) => connection.send('GET', '/metrics'));
    await Promise.all(pair.map((connection) => connection.sent));
    const exit = once(server.child, 'exit');
    server.child.kill('SIGKILL');
    await exit;
    for (const pid of workers) process.kill(pid, 'SIGCONT');
    // Answered, or cut where its end was seen first.
    await Promise.allSettled(asked);
    await until(() => !workers.some(isRunning));
    expect(server.stderr).not.toContain('EPIPE');
    for (const connection of pair) connection.close();
  });

  it('ends its workers with itself, however it ends', async () => {
    using scratch = new Scratch();
    const { server, pair } = await startPair(scratch);
    for (const connection of pair) connection.close();
    const workers = workersOf(server);
    server.child.kill('SIGKILL');
    await server.ended;
    await until(() => !workers.some(isRunning));
    const again = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    expect((await again.stop()).code).toBe(0);
  });
});
