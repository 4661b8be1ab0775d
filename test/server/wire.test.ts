import { expect, it } from 'vitest';

import { RawClient, testKey } from './support/client.ts';
import { footprint, serve } from './support/serve.ts';
import { until } from '../support/until.ts';

const path = '/v1/contexts/c/parts/p';
const host = `Host: x\r\nAuthorization: Bearer ${testKey}\r\n`;

const malformed: [what: string, text: string, status: number, code: string][] = [
  ['no HTTP at all', 'hello there\r\n\r\n', 400, 'invalid_argument'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'invalid_argument'],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'invalid_argument'],
  ['an unknown method', `FETCH ${path} HTTP/1.1\r\n${host}\r\n`, 400, 'invalid_argument'],
  ['an unknown version', `GET ${path} HTTP/9.9\r\n${host}\r\n`, 400, 'invalid_argument'],
  ['spaces in the target', `GET /v1/contexts/a b HTTP/1.1\r\n${host}\r\n`, 400, 'invalid_argument'],
  ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400, 'invalid_argument'],
  ['two Hosts', `GET ${path} HTTP/1.1\r\nHost: y\r\n${host}\r\n`, 400, 'invalid_argument'],
  [
    'a header without a colon',
    `GET ${path} HTTP/1.1\r\n${host}oops\r\n\r\n`,
    400,
    'invalid_argument',
  ],
  [
    'a header name with spaces',
    `GET ${path} HTTP/1.1\r\n${host}a b: c\r\n\r\n`,
    400,
    'invalid_argument',
  ],
  ['a header with a NUL', `GET ${path} HTTP/1.1\r\n${host}a: \0\r\n\r\n`, 400, 'invalid_argument'],
  [
    'huge headers',
    `GET ${path} HTTP/1.1\r\n${host}a: ${'x'.repeat(200_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  [
    'many headers',
    `GET ${path} HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(40_000)}\r\n`,
    431,
    'headers_too_large',
  ],
  [
    'a huge target',
    `GET /v1/contexts/${'x'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`,
    414,
    'uri_too_long',
  ],
  [
    'a length that is no number',
    `PUT ${path} HTTP/1.1\r\n${host}Content-Length: five\r\n\r\nhello`,
    400,
    'invalid_argument',
  ],
  [
    'a negative length',
    `PUT ${path} HTTP/1.1\r\n${host}Content-Length: -5\r\n\r\nhello`,
    400,
    'invalid_argument',
  ],
  [
    'a length beyond numbers',
    `PUT ${path} HTTP/1.1\r\n${host}Content-Length: 99999999999999999999999\r\n\r\n`,
    400,
    'invalid_argument',
  ],
  [
    'a huge length',
    `PUT ${path} HTTP/1.1\r\n${host}Content-Length: 9007199254740993\r\n\r\n`,
    413,
    'value_too_large',
  ],
  [
    'two lengths',
    `PUT ${path} HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
    400,
    'invalid_argument',
  ],
  [
    'a length and chunks',
    `PUT ${path} HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'invalid_argument',
  ],
  [
    'an unknown transfer encoding',
    `PUT ${path} HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\nhello`,
    415,
    'unsupported_encoding',
  ],
  [
    'a transfer encoding under the chunks',
    `PUT ${path} HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    415,
    'unsupported_encoding',
  ],
  [
    'a chunk size that is no number',
    `PUT ${path} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n`,
    400,
    'invalid_argument',
  ],
  [
    'garbage after a chunk',
    `PUT ${path} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX5\r\n`,
    400,
    'invalid_argument',
  ],
  [
    'a chunk size beyond numbers',
    `PUT ${path} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n`,
    400,
    'invalid_argument',
  ],
  [
    'endless chunk extensions',
    `PUT ${path} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5;${'x'.repeat(60_000)}\r\nhello\r\n`,
    413,
    'value_too_large',
  ],
  [
    'an unknown expectation',
    `PUT ${path} HTTP/1.1\r\n${host}Expect: tea\r\nContent-Length: 5\r\n\r\nhello`,
    400,
    'invalid_argument',
  ],
  ['no framing', `PUT ${path} HTTP/1.1\r\n${host}\r\n`, 411, 'length_required'],
  ['CONNECT', `CONNECT example.com:443 HTTP/1.1\r\n${host}\r\n`, 405, 'method_not_allowed'],
  ['a target that is no path', `GET * HTTP/1.1\r\n${host}\r\n`, 404, 'not_found'],
];

it.each(malformed)('answers %s', async (_, text, status, code) => {
  const { url, pool, call, errors } = await serve({ limits: { lingerMs: 100 } });
  const before = footprint(pool);
  const client = await RawClient.to(url);
  client.send(Buffer.from(text, 'latin1'));
  const seen = await client.receive(/\r\n\r\n\{.*\}/s);
  expect(seen).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(seen.toLowerCase()).toContain('content-type: application/problem+json');
  const problem = JSON.parse(seen.slice(seen.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
  expect(problem).toMatchObject({ status, code });
  expect(footprint(pool)).toEqual(before);
  expect((await call('GET', '/healthz')).status).toBe(200);
  expect(errors).toEqual([]);
  await client.destroy();
});

it('heeds a header that comes after thousands of others', async () => {
  const { url, pool } = await serve();
  pool.put('c', 'p', Buffer.from('first'));
  const client = await RawClient.to(url);
  const many = 'a: b\r\n'.repeat(4_000);
  client.send(
    `PUT ${path} HTTP/1.1\r\n${host}${many}Content-Length: 4\r\nIf-Match: "1"\r\n\r\nlate`,
  );
  expect(await client.receive(/\}/)).toMatch(/^HTTP\/1\.1 412 /);
  expect(pool.describe('c', 'p')?.sizeBytes).toBe(5);
  await client.destroy();
});

it('answers good requests before the garbage that follows them', async () => {
  const { url } = await serve({ limits: { lingerMs: 100 } });
  const client = await RawClient.to(url);
  const put = `PUT ${path} HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`;
  const get = `GET ${path} HTTP/1.1\r\n${host}\r\n`;
  client.send(`${put}${get}garbage\r\n\r\n`);
  const seen = await client.receiveAll();
  expect(seen.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 200', 'HTTP/1.1 400']);
});

it('answers a pipelined request whose body breaks, after those before it', async () => {
  const { url, pool } = await serve({ limits: { lingerMs: 100 } });
  const client = await RawClient.to(url);
  const get = `GET /v1/stats HTTP/1.1\r\n${host}\r\n`;
  const put = `PUT ${path} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`;
  client.send(get + put);
  const seen = await client.receiveAll();
  expect(seen.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  expect(pool.stats().parts).toBe(0);
});

it('takes a body that is cut short for no body', async () => {
  const { url, pool } = await serve({ limits: { lingerMs: 100 } });
  const before = footprint(pool);
  const client = await RawClient.to(url);
  client.socket.end(`PUT ${path} HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf.`);
  await client.receiveAll();
  await until(() => pool.stats().memory.liveBytes === before['liveBytes']);
  expect(footprint(pool)).toEqual(before);
});

it('leaves what follows an announced body to the next request', async () => {
  const { url, pool } = await serve({ limits: { lingerMs: 100 } });
  const client = await RawClient.to(url);
  client.send(`PUT ${path} HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello and more\r\n\r\n`);
  const seen = await client.receiveAll();
  expect(seen.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 400']);
  expect(pool.get('c', 'p')?.sizeBytes).toBe(5);
});

it('serves HTTP/1.0, absolute targets and requests without need of a body', async () => {
  const { url, pool } = await serve();
  pool.put('c', 'p', 'hello');
  const old = await RawClient.to(url);
  old.send(`GET ${path} HTTP/1.0\r\nAuthorization: Bearer ${testKey}\r\n\r\n`);
  expect(await old.receiveAll()).toMatch(/^HTTP\/1.1 200 .*hello$/s);
  const absolute = await RawClient.to(url);
  absolute.send(`GET http://proxy.example${path} HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`);
  await absolute.receive(/^HTTP\/1.1 200 .*hello$/s);
  absolute.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await absolute.receive(/"ok"/);
  await absolute.destroy();
});

it('closes connections that send their headers too slowly', async () => {
  const limits = { headersTimeoutMs: 50, timeoutCheckMs: 10, lingerMs: 100 };
  const { url } = await serve({ limits });
  const client = await RawClient.to(url);
  client.send('GET /healthz HTTP/1.1\r\n');
  expect(await client.receiveAll()).toMatch(/^HTTP\/1.1 408 .*request_timeout/s);
});

it('closes connections beyond the bound', async () => {
  const { url, server } = await serve({ limits: { maxConnections: 2 } });
  const clients = [await RawClient.to(url), await RawClient.to(url)];
  await until(() => server.stats().connections === 2);
  const third = await RawClient.to(url);
  expect(await third.receiveAll()).toBe('');
  clients[0]?.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await clients[0]?.receive(/"ok"/);
  for (const client of clients) await client.destroy();
});

it('bounds how many requests a connection sends ahead', async () => {
  const { url, server } = await serve({ limits: { maxPipelined: 10 } });
  const get = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';
  const client = await RawClient.to(url);
  client.send(get.repeat(10));
  await client.receive(/(?:HTTP\/1.1 200 (?:(?!HTTP\/1.1 )[\s\S])*){10}/);
  client.socket.pause();
  client.send(get.repeat(1000));
  await until(() => server.stats().connections === 0);
  await client.destroy();
});
