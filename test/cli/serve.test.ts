import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { hasTool, toolsMissing } from '../server/resp/support/tools.ts';
import { cenote, Scratch, Serving, shell } from './support/cli.ts';
import { hasCommand } from '../support/children.ts';

const partPath = '/v1/contexts/chat/parts/tokens';

describe('cenote serve', () => {
  it('prints curl lines that work when pasted', async (context) => {
    if (!hasCommand('curl')) context.skip('no curl: apt-get install curl');
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    const [write, read] = server.curlLines as [string, string];
    const written = await shell(write.replace(`-w '\\n'`, `-w '%{http_code}' -o /dev/null`));
    expect(written).toEqual({ code: 0, stdout: '201', stderr: '' });
    expect(await shell(read)).toEqual({ code: 0, stdout: 'Hello from Cenote\n', stderr: '' });
    expect(await shell(read.replace(`-w '\\n'`, `-w '%{http_code}' -o /dev/null`))).toMatchObject({
      stdout: '200',
    });
    expect((await server.stop()).code).toBe(0);
  });

  it('prints lines for later starts that work with the key in CENOTE_API_KEY', async (context) => {
    if (!hasCommand('curl')) context.skip('no curl: apt-get install curl');
    using scratch = new Scratch();
    const words = ['--http', '0', '--data', scratch.join('data')];
    const first = await Serving.start(words);
    const key = first.key;
    await first.stop();

    const second = await Serving.start(words);
    expect(second.banner).not.toContain(key);
    expect(second.banner).toContain('the one that the first start has shown');
    const [write, read] = second.curlLines as [string, string];
    expect((await shell(write, { CENOTE_API_KEY: key })).stdout).toContain('"version"');
    expect((await shell(read, { CENOTE_API_KEY: key })).stdout).toBe('Hello from Cenote\n');
    await second.stop();
  });

  it('goes on, and stops in order, when nobody reads its messages any more', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    server.child.stderr.destroy();
    expect((await server.stop()).code).toBe(0);
  });

  it('takes a key from CENOTE_API_KEY, keeps it out of logs, and prints lines that work where it is set', async (context) => {
    if (!hasCommand('curl')) context.skip('no curl: apt-get install curl');
    using scratch = new Scratch();
    const key = `it's-$mine"`;
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')], {
      CENOTE_API_KEY: key,
    });
    expect(server.banner).not.toContain(key);
    expect(existsSync(scratch.join('data', 'keys.json'))).toBe(false);
    for (const line of server.curlLines)
      expect((await shell(line, { CENOTE_API_KEY: key })).code).toBe(0);
    expect(
      (await server.request('GET', '/v1/contexts/hello/parts/text', undefined, key)).status,
    ).toBe(200);
    await server.stop();
  });

  it('prints a redis-cli line that works when pasted, and can do without RESP', async (context) => {
    if (!hasTool('redis-cli') || !hasCommand('curl')) context.skip(toolsMissing);
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--resp', '0', '--data', scratch.join('a')]);
    expect(server.redisLine).toContain(server.key);
    await shell(server.curlLines[0] as string);
    const read = await shell(server.redisLine as string);
    expect(read).toMatchObject({ code: 0, stdout: 'Hello from Cenote\n' });
    await server.stop();

    const second = await Serving.start(['--http', '0', '--data', scratch.join('a')]);
    expect(second.redisLine).not.toContain(server.key);
    const again = await shell(second.redisLine as string, { CENOTE_API_KEY: server.key });
    expect(again.stdout).toBe('Hello from Cenote\n');
    const { port } = new URL(second.respUrl);
    const taken = await cenote([
      'serve',
      '--http',
      '0',
      '--resp',
      port,
      '--data',
      scratch.join('b'),
    ]);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain(`port ${port}: something else does already`);
    await second.stop();

    const open = ['--no-auth', '--http', '0', '--data', scratch.join('c')];
    const third = await Serving.start(open);
    expect((await shell(third.redisLine as string)).code).toBe(0);
    await third.stop();
    const without = await Serving.start([...open, '--resp', 'off']);
    expect(without.redisLine).toBeUndefined();
    expect(without.banner).not.toContain('RESP');
    await without.stop();
    expect((await cenote(['serve', '--resp', 'on'])).code).toBe(2);
  });

  it('refuses who does not have the key', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    for (const headers of [
      {},
      { Authorization: 'Bearer cn_wrong' },
      { Authorization: `Basic ${server.key}` },
    ]) {
      for (const path of [partPath, '/v1/contexts', '/metrics']) {
        expect((await fetch(`${server.url}${path}`, { headers })).status).toBe(401);
      }
    }
    expect((await server.request('GET', '/v1/contexts')).status).toBe(200);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    await server.stop();
  });

  it('says where it listens in one line of JSON', async () => {
    using scratch = new Scratch();
    const words = ['--http', '0', '--data', scratch.join('data'), '--capacity', '64m', '--json'];
    const server = await Serving.start(words);
    const said = JSON.parse(server.banner) as Record<string, unknown>;
    expect(said).toMatchObject({
      pid: server.child.pid,
      url: server.url,
      respUrl: server.respUrl,
      pool: 'mapped',
      path: scratch.join('data', 'tenants', 'default'),
      dataPath: scratch.join('data'),
      capacityBytes: 64 * 2 ** 20,
      contexts: 0,
      key: server.key,
    });
    await server.stop();
    const again = await Serving.start(words.slice(0, 4).concat('--json'));
    const saidAgain = JSON.parse(again.banner) as Record<string, unknown>;
    expect(saidAgain).not.toHaveProperty('key');
    // A pool keeps its own capacity unless one is given.
    expect(saidAgain['capacityBytes']).toBe(64 * 2 ** 20);
    await again.stop();
  });

  it('gives a folder that holds no pool yet the capacity that a first start gives', async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.join('data', 'tenants', 'default'), { recursive: true });
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data'), '--json']);
    expect(JSON.parse(server.banner)).toMatchObject({ capacityBytes: 2 ** 31 });
    await server.stop();
  });

  it('keeps data and key to its user', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    const mode = (...names: string[]): number => statSync(scratch.join(...names)).mode & 0o777;
    expect(mode('data')).toBe(0o700);
    expect(mode('data', 'tenants', 'default')).toBe(0o700);
    expect(mode('data', 'keys.json')).toBe(0o600);
    expect(readFileSync(scratch.join('data', 'keys.json'), 'utf8')).not.toContain(server.key);
    await server.stop();
  });

  it('keeps acknowledged writes over SIGTERM and over kill -9', async () => {
    using scratch = new Scratch();
    const words = ['--http', '0', '--data', scratch.join('data')];
    const first = await Serving.start(words);
    const key = first.key;
    expect(
      (await first.request('PUT', `${partPath}?type=u32`, Uint32Array.of(1, 2, 3))).status,
    ).toBe(201);
    const end = await first.stop('SIGTERM');
    expect(end.code).toBe(0);
    expect(end.stderr).toContain('stopped');

    const second = await Serving.start(words);
    expect(
      (await second.request('POST', `${partPath}/append`, Uint32Array.of(4), key)).status,
    ).toBe(200);
    await second.stop('SIGKILL');

    const third = await Serving.start(words);
    const answer = await third.request('GET', partPath, undefined, key);
    expect(new Uint32Array(await answer.arrayBuffer())).toEqual(Uint32Array.of(1, 2, 3, 4));
    await third.stop('SIGINT');
    expect((await cenote(['check', scratch.join('data')])).code).toBe(0);
  });

  it('answers the request that is running when it is asked to stop', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    let finish = (): void => {};
    const more = new Promise<void>((resolve) => (finish = resolve));
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new Uint8Array(1000));
        await more;
        controller.enqueue(new Uint8Array(1000));
        controller.close();
      },
    });
    const headers = { Authorization: `Bearer ${server.key}` };
    const options = { method: 'PUT', headers, body, duplex: 'half' };
    const answer = fetch(`${server.url}${partPath}`, options as RequestInit);
    await untilUploading(server);
    server.child.kill('SIGTERM');
    server.child.kill('SIGINT');
    await expect.poll(() => server.stderr).toContain('stopping when running requests are answered');
    finish();
    expect((await answer).status).toBe(201);
    const end = await server.ended;
    expect(end.code).toBe(0);
    expect(end.stderr).toContain('stopped');
  });

  it('stops at once when asked twice', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    const headers = { Authorization: `Bearer ${server.key}` };
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(1000)),
    });
    const options = { method: 'PUT', headers, body, duplex: 'half' };
    const answer = fetch(`${server.url}${partPath}`, options as RequestInit).catch(
      (error: unknown) => error,
    );
    await untilUploading(server);
    server.child.kill('SIGTERM');
    await expect.poll(() => server.stderr).toContain('stopping');
    const insisting = setInterval(() => server.child.kill('SIGTERM'), 100);
    const { code } = await server.ended;
    clearInterval(insisting);
    expect(code).toBe(130);
    expect(await answer).toBeInstanceOf(Error);
  });

  it('says that a port is taken, and shows its key at the next start', async () => {
    using scratch = new Scratch();
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const port = String((other.address() as AddressInfo).port);
    const { code, stdout, stderr } = await cenote([
      'serve',
      '--http',
      port,
      '--data',
      scratch.join('data'),
    ]);
    other.close();
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^error\[address_unavailable\]: cannot listen on 127\.0\.0\.1 port \d+: something else/,
    );
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    expect(server.key).toMatch(/^cn_/);
    await server.stop();
  });

  it('refuses a data folder that another server has', async () => {
    using scratch = new Scratch();
    const words = ['--http', '0', '--data', scratch.join('data')];
    const server = await Serving.start(words);
    const { code, stderr } = await cenote(['serve', ...words]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error\[pool_busy\]: /);
    await server.stop();
  });

  it('refuses a data folder that cannot be', async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.join('file'), '');
    const { code, stderr } = await cenote(['serve', '--http', '0', '--data', scratch.join('file')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error\[not_a_pool\]: .* is not a folder/);
  });

  it('needs no key with --no-auth on loopback', async () => {
    using scratch = new Scratch();
    const server = await Serving.start([
      '--http',
      '0',
      '--data',
      scratch.join('data'),
      '--no-auth',
    ]);
    expect(server.banner).toContain('none is asked for');
    expect((await fetch(`${server.url}/v1/contexts`)).status).toBe(200);
    expect(existsSync(scratch.join('data', 'keys.json'))).toBe(false);
    await server.stop();
  });

  it('takes its settings from the environment', async () => {
    using scratch = new Scratch();
    const env = {
      CENOTE_HTTP: '0',
      CENOTE_DATA_DIR: scratch.join('data'),
      CENOTE_CAPACITY: '32MiB',
    };
    const server = await Serving.start(['--json'], env);
    expect(JSON.parse(server.banner)).toMatchObject({
      dataPath: scratch.join('data'),
      capacityBytes: 32 * 2 ** 20,
    });
    await server.stop();
    const { code, stderr } = await cenote(['serve'], { ...env, CENOTE_CAPACITY: 'much' });
    expect(code).toBe(2);
    expect(stderr).toContain("CENOTE_CAPACITY 'much' is not a size");
  });

  it('removes parts whose time is over', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    await server.request('PUT', `${partPath}?ttlMs=1`, 'short');
    const parts = async (): Promise<number> => {
      const answer = (await (await server.request('GET', '/v1/stats')).json()) as {
        pool: { parts: number };
      };
      return answer.pool.parts;
    };
    await expect.poll(parts, { timeout: 20_000 }).toBe(0);
    await server.stop();
  });
});

/** Until the server has begun to receive a body. */
async function untilUploading(server: Serving): Promise<void> {
  const inFlight = async (): Promise<number> => {
    const text = await (await server.request('GET', '/metrics')).text();
    return Number(/^cenote_http_in_flight_bytes (\d+)/m.exec(text)?.[1] ?? 0);
  };
  await expect.poll(inFlight).toBeGreaterThan(0);
}
