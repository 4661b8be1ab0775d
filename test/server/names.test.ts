import { expect, it } from 'vitest';

import { codeOf } from './support/client.ts';
import { footprint, serve } from './support/serve.ts';

const long = 'x'.repeat(512);

it.each([
  ['plain', 'plain'],
  ['a%2Fb', 'a/b'],
  ['%2e%2e', '..'],
  ['..', '..'],
  ['%C3%BC%F0%9F%8C%8A', 'ü🌊'],
  ['a+b', 'a+b'],
  ['a%20b%3F%23', 'a b?#'],
  ['%00%0d%0a', '\0\r\n'],
  ["'()*!~;:@&=$,", "'()*!~;:@&=$,"],
  [long, long],
  ['%C3%BC'.repeat(256), 'ü'.repeat(256)],
  ['append', 'append'],
])('reads %s as the name %j', async (encoded, name) => {
  const { call, pool } = await serve();
  expect(
    (await call('PUT', `/v1/contexts/${encoded}/parts/${encoded}`, { body: 'x' })).status,
  ).toBe(201);
  expect(pool.describe(name, name)?.sizeBytes).toBe(1);
  expect((await call('GET', `/v1/contexts/${encoded}/parts/${encoded}`)).body.toString()).toBe('x');
});

it.each([
  '',
  '%',
  '%4',
  '%zz',
  '%ff',
  '%C3',
  '%C0%80',
  '%ED%A0%80',
  '%F4%90%80%80',
  'ü',
  `${long}x`,
  '%C3%BC'.repeat(257),
])('refuses the name %s', async (encoded) => {
  const { call, pool } = await serve();
  const raw = Buffer.from(encoded).toString('latin1');
  const before = footprint(pool);
  const paths = [
    `/v1/contexts/${raw}/parts/p`,
    `/v1/contexts/c/parts/${raw}`,
    `/v1/contexts/${raw}`,
  ];
  for (const path of paths) {
    expect(codeOf(await call('DELETE', path))).toBe('invalid_argument 400');
  }
  expect(codeOf(await call('PUT', paths[0] as string, { body: 'x' }))).toBe('invalid_argument 400');
  expect(footprint(pool)).toEqual(before);
});

const tags65 = Array.from({ length: 65 }, (_, i) => `t${i}`).join(',');

it.each([
  'kind=other',
  'kind=',
  'kind',
  'type=u9',
  'ttlMs=0',
  'ttlMs=-1',
  'ttlMs=1.5',
  'ttlMs=1e3',
  'ttlMs=0x10',
  'ttlMs=99999999999999999999',
  `ttlMs=${2 ** 47 + 1}`,
  'ttlMs=1&ttlMs=2',
  'tags=',
  'tags=a,,b',
  'tags=a,',
  `tags=${long}x`,
  `tags=${tags65}`,
  'dependsOn=',
  'pinned=yes',
  'pinned=1',
  'sensitive=',
  'ttl=5',
  'tags=%',
  'tags=%ff',
  '%ff=1',
  '=',
])('PUT refuses ?%s', async (query) => {
  const { call, pool } = await serve();
  const before = footprint(pool);
  const answer = await call('PUT', `/v1/contexts/c/parts/p?${query}`, { body: 'x' });
  expect(codeOf(answer)).toBe('invalid_argument 400');
  expect(footprint(pool)).toEqual(before);
});

it.each(['', '&', '&&', 'ttlMs=1&', `tags=${'t'.repeat(512)}`])('PUT takes ?%s', async (query) => {
  const { call } = await serve();
  const answer = await call('PUT', `/v1/contexts/c/parts/p?${query}`, { body: 'x' });
  expect(answer.status).toBe(201);
});

it.each([
  ['/', 404],
  ['//', 404],
  ['/v1', 404],
  ['/v1/contexts/', 400],
  ['/v1//contexts', 404],
  ['/V1/contexts', 404],
  ['/v1/%63ontexts', 404],
  ['/v1/contexts/c/parts', 404],
  ['/v1/contexts/c/parts/p/more', 404],
  ['/v1/contexts/c/parts/p/append', 405],
  ['/v1/contexts/c/parts/p/append/', 404],
  ['/v1/stats?x=1', 400],
])('GET %s is %i', async (path, status) => {
  const { call } = await serve();
  const answer = await call('GET', path);
  expect(answer.status).toBe(status);
  codeOf(answer);
  if (status === 405) expect(answer.headers.allow).toBe('POST');
});

it.each([
  ['PATCH', '/v1/contexts/c/parts/p', 'PUT, GET, HEAD, DELETE'],
  ['OPTIONS', '/v1/contexts', 'GET'],
  ['POST', '/metrics', 'GET'],
  ['PUT', '/healthz', 'GET'],
])('%s %s is not allowed', async (method, path, allow) => {
  const { call } = await serve();
  const answer = await call(method, path);
  expect(codeOf(answer)).toBe('method_not_allowed 405');
  expect(answer.headers.allow).toBe(allow);
});
