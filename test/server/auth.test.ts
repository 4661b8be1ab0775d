import { describe, expect, it } from 'vitest';

import { assertAuthSafe, createServer, Keyring, keyRecord } from '../../src/server/index.ts';
import { call, codeOf, RawClient, testKey } from './support/client.ts';
import { footprint, serve } from './support/serve.ts';
import { until } from '../support/until.ts';

const path = '/v1/contexts/c/parts/p';

it.each([
  ['no header', undefined],
  ['an empty header', ''],
  ['a scheme alone', 'Bearer'],
  ['another scheme', `Basic ${testKey}`],
  ['a bare key', testKey],
  ['a wrong key', 'Bearer cn_wrong'],
  ['a key and more', `Bearer ${testKey}x`],
  ['part of a key', `Bearer ${testKey.slice(0, -1)}`],
  ['two keys', `Bearer ${testKey} ${testKey}`],
  ['a very long key', `Bearer ${'x'.repeat(10_000)}`],
])('refuses %s', async (_, authorization) => {
  const { call: keyed, pool } = await serve();
  pool.put('c', 'p', 'secret');
  const before = footprint(pool);
  const headers = authorization === undefined ? {} : { authorization };
  const tries = [
    ['GET', path],
    ['HEAD', path],
    ['PUT', path],
    ['POST', `${path}/append`],
    ['DELETE', path],
    ['GET', '/v1/contexts'],
    ['GET', '/v1/contexts/c'],
    ['DELETE', '/v1/contexts/c'],
    ['POST', '/v1/contexts/c/expire'],
    ['POST', '/v1/invalidate'],
    ['GET', '/v1/stats'],
    ['GET', '/metrics'],
    ['GET', '/no/such/path'],
    ['GET', '/v1/contexts/%ff'],
    ['PATCH', '/healthz/x'],
  ] as const;
  for (const [method, target] of tries) {
    const answer = await keyed(method, target, { key: null, headers });
    expect(answer.status, `${method} ${target}`).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="cenote"/);
    if (method !== 'HEAD') expect(codeOf(answer)).toBe('unauthorized 401');
    expect(answer.body.toString()).not.toContain('secret');
  }
  expect(footprint(pool)).toEqual(before);
});

it.each([`Bearer ${testKey}`, `bearer ${testKey}`, `BEARER   ${testKey}`])(
  'accepts %s',
  async (authorization) => {
    const { call: keyed } = await serve();
    expect(
      (await keyed('GET', '/v1/stats', { key: null, headers: { authorization } })).status,
    ).toBe(200);
  },
);

it('answers before the body is sent, and reads little of it', async () => {
  const { url } = await serve();
  const client = await RawClient.to(url);
  client.send(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 500000000\r\n\r\n`);
  await client.receive(/unauthorized/);
  expect(client.received).toMatch(/^HTTP\/1.1 401 /);
  expect(client.received.toLowerCase()).toContain('connection: close');
  client.socket.end();
  await client.receiveAll();
});

it('answers a client that sends its whole body before it reads', async () => {
  const { url } = await serve({ limits: { lingerBytes: 2 ** 24, lingerMs: 10_000 } });
  const client = await RawClient.to(url);
  const body = Buffer.alloc(2 ** 23);
  client.socket.pause();
  client.send(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  await new Promise((resolve) => client.socket.write(body, resolve));
  client.socket.resume();
  await client.receiveAll();
  expect(client.received).toMatch(/^HTTP\/1.1 401 /);
  expect(client.socket.errored).toBe(null);
});

it('reads a bounded amount of a body that it refuses', async () => {
  const limits = { lingerBytes: 100_000, lingerMs: 50 };
  const { url, server } = await serve({ limits });
  const client = await RawClient.to(url);
  client.send(`PUT ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const chunk = Buffer.concat([
    Buffer.from('10000\r\n'),
    Buffer.alloc(0x10000),
    Buffer.from('\r\n'),
  ]);
  const endless = (): void => {
    while (client.socket.writable && client.socket.write(chunk));
  };
  client.socket.on('drain', endless);
  endless();
  expect(await client.receiveAll()).toMatch(/^HTTP\/1.1 401 /);
  // What fits the buffers of both ends was sent, and no more read than that.
  expect(client.socket.bytesWritten).toBeLessThan(64 * 2 ** 20);
  await until(() => server.stats().connections === 0);
});

it('refuses a body that is only announced without inviting it', async () => {
  const { url } = await serve();
  const client = await RawClient.to(url);
  client.send(
    `PUT ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  );
  expect(await client.receiveAll()).toMatch(/^HTTP\/1.1 401 /);
  const keyed = await RawClient.to(url);
  keyed.send(
    `PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n` +
      'Expect: 100-continue\r\nContent-Length: 5\r\n\r\n',
  );
  await keyed.receive(/^HTTP\/1.1 100 Continue\r\n\r\n/);
  keyed.send('hello');
  await keyed.receive(/HTTP\/1.1 201 /);
  await keyed.destroy();
});

it('keeps the connection when the refused body is small', async () => {
  const { url } = await serve();
  const client = await RawClient.to(url);
  client.send(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello`);
  await client.receive(/unauthorized/);
  client.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.receive(/HTTP\/1.1 200 .*"ok"/s);
  await client.destroy();
});

describe('without keys', () => {
  it('answers programs on this machine', async () => {
    const { call: open, url } = await serve({ auth: 'none' });
    expect((await open('PUT', path, { key: null, body: 'x' })).status).toBe(201);
    const { port, host } = new URL(url);
    for (const name of ['localhost', 'LOCALHOST', '127.0.0.1', '[::1]']) {
      const headers = { host: `${name}:${port}` };
      expect((await open('GET', path, { key: null, headers })).status, name).toBe(200);
    }
    const own = { host, origin: `http://${host}` };
    expect((await open('GET', path, { key: null, headers: own })).status).toBe(200);
  });

  it.each([
    [{ host: 'evil.example' }],
    [{ host: 'evil.example:8080' }],
    [{ host: 'localhost.evil.example' }],
    [{ host: '127.0.0.1.evil.example' }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
    [{ origin: 'http://localhost:1' }],
  ])('refuses what a web page could send: %j', async (headers) => {
    const { call: open, pool } = await serve({ auth: 'none' });
    const answer = await open('PUT', path, { key: null, headers, body: 'x' });
    expect(codeOf(answer)).toBe('forbidden 403');
    expect(pool.stats().parts).toBe(0);
  });

  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1', '[::1]', '::ffff:127.0.0.1'])(
    'listens on %s',
    (host) => {
      expect(() => assertAuthSafe(host, 'none')).not.toThrow();
    },
  );

  it.each([
    '0.0.0.0',
    '::',
    '192.168.1.5',
    'example.com',
    '',
    '127.evil.example',
    '::ffff:10.0.0.1',
  ])('refuses to listen on %j', async (host) => {
    expect(() => assertAuthSafe(host, 'none')).toThrow(/without authentication is refused/);
    expect(() => assertAuthSafe(host, Keyring.of('k'))).not.toThrow();
    const { pool } = await serve();
    expect(() => createServer({ pool, auth: 'none', http: { host } })).toThrow(/is refused/);
  });
});

it('gives metrics to everyone only when told to', async () => {
  const { url } = await serve({ publicMetrics: true });
  expect((await call(url, 'GET', '/metrics', { key: null })).status).toBe(200);
  expect((await call(url, 'GET', '/v1/stats', { key: null })).status).toBe(401);
});

it('shows the pool to its own tenant only', async () => {
  const auth = new Keyring([keyRecord('theirs', 0, { tenant: 'acme' })]);
  const { call: keyed } = await serve({ auth });
  expect(codeOf(await keyed('GET', '/v1/stats', { key: 'theirs' }))).toBe('unauthorized 401');
});

it('lets no key pass when there are none', async () => {
  const { call: keyed } = await serve({ auth: new Keyring([]) });
  expect(codeOf(await keyed('GET', '/v1/stats'))).toBe('unauthorized 401');
});
