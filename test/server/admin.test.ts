/** Tenants and keys over HTTP, and what quotas answer. */

import { once } from 'node:events';

import { expect, it } from 'vitest';

import type { TenantStatus } from '../../src/guard/api.ts';
import { createServer } from '../../src/server/index.ts';
import { metricsPage } from '../../src/server/http/metrics.ts';
import { numbersOf } from '../../src/server/numbers.ts';
import { Traffic } from '../../src/server/http/traffic.ts';
import { codeOf, RawClient } from './support/client.ts';
import { serve } from './support/serve.ts';
import { until } from '../support/until.ts';
import { serveTenants } from './support/tenants.ts';

const path = '/v1/contexts/c/parts/p';
const mib = 2 ** 20;

it('makes, changes, shows and removes tenants and keys', async () => {
  const { call, guard } = await serveTenants();
  const quotas = { capacityBytes: 8 * mib, contexts: 10 };
  const made = await call('PUT', '/v1/admin/tenants/acme', { body: JSON.stringify(quotas) });
  expect(made.status).toBe(201);
  expect(made.json()).toMatchObject({ name: 'acme', quotas, isOpen: false, storedBytes: null });
  const changed = { ...quotas, contexts: 20 };
  const put = await call('PUT', '/v1/admin/tenants/acme', { body: JSON.stringify(changed) });
  expect(put.status).toBe(200);
  expect((await call('GET', '/v1/admin/tenants/acme')).json()).toMatchObject({ quotas: changed });
  const { tenants } = (await call('GET', '/v1/admin/tenants')).json();
  expect(tenants).toMatchObject([
    { name: 'acme', capacityBytes: 8 * mib },
    { name: 'default', capacityBytes: 120 * mib },
  ]);
  const wanted = { tenant: 'acme', scopes: ['ctx:write', 'ctx:read'], label: 'a "label"' };
  const answer = await call('POST', '/v1/admin/keys', { body: JSON.stringify(wanted) });
  expect(answer.status).toBe(201);
  expect(answer.headers['cache-control']).toBe('no-store');
  const { key, id, ...info } = answer.json() as { key: string; id: string };
  expect(info).toMatchObject({ ...wanted, scopes: ['ctx:read', 'ctx:write'] });
  expect((await call('PUT', path, { key, body: 'x' })).status).toBe(201);
  const listed = (await call('GET', '/v1/admin/keys?tenant=acme')).json();
  expect(listed).toEqual({ keys: [{ id, ...info }] });
  expect(JSON.stringify((await call('GET', '/v1/admin/keys')).json())).not.toContain(key.slice(3));
  expect((await call('DELETE', `/v1/admin/keys/${id}`)).json()).toEqual({ deleted: 1 });
  expect(codeOf(await call('DELETE', `/v1/admin/keys/${id}`))).toBe('not_found 404');
  expect((await call('DELETE', '/v1/admin/tenants/acme')).json()).toEqual({ deleted: 1 });
  expect(codeOf(await call('GET', '/v1/admin/tenants/acme'))).toBe('not_found 404');
  expect(guard.tenants().map(({ name }) => name)).toEqual(['default']);
});

it.each([
  ['PUT', '/v1/admin/tenants/acme', '{}', 'invalid_argument 400'],
  ['PUT', '/v1/admin/tenants/acme', '{"capacityBytes":1}', 'invalid_argument 400'],
  ['PUT', '/v1/admin/tenants/acme', '{"capacityBytes":null}', 'invalid_argument 400'],
  ['PUT', '/v1/admin/tenants/acme', '{"space":1}', 'invalid_argument 400'],
  ['PUT', '/v1/admin/tenants/acme', '{"capacityBytes":137438953472}', 'budget_exceeded 429'],
  ['PUT', '/v1/admin/tenants/..', '{"capacityBytes":8388608}', 'invalid_argument 400'],
  ['PUT', '/v1/admin/tenants/a%2Fb', '{"capacityBytes":8388608}', 'invalid_argument 400'],
  ['PUT', '/v1/admin/tenants/default', '{"capacityBytes":8388608}', 'invalid_argument 400'],
  ['DELETE', '/v1/admin/tenants/default', '', 'invalid_argument 400'],
  ['DELETE', '/v1/admin/tenants/acme', '', 'not_found 404'],
  ['POST', '/v1/admin/keys', '{"tenant":"acme","scopes":["ctx:read"]}', 'not_found 404'],
  ['POST', '/v1/admin/keys', '{"tenant":"default","scopes":[]}', 'invalid_argument 400'],
  ['POST', '/v1/admin/keys', '{"tenant":"default","scopes":"admin"}', 'invalid_argument 400'],
  ['POST', '/v1/admin/keys', '{"tenant":"default","scopes":["root"]}', 'invalid_argument 400'],
  [
    'POST',
    '/v1/admin/keys',
    '{"tenant":"default","scopes":["admin"],"label":"\\n"}',
    'invalid_argument 400',
  ],
  ['POST', '/v1/admin/keys', '{"scopes":["admin"]}', 'invalid_argument 400'],
])('refuses %s %s %s', async (method, target, body, code) => {
  const { call, guard } = await serveTenants();
  expect(codeOf(await call(method, target, body === '' ? {} : { body }))).toBe(code);
  expect(guard.tenants().length).toBe(1);
  expect(guard.administration.keys().length).toBe(1);
});

it('has nothing to administer where there is one pool', async () => {
  const { call } = await serve();
  const { tenants } = (await call('GET', '/v1/admin/tenants')).json();
  expect(tenants).toMatchObject([{ name: 'default', isOpen: true, capacityBytes: 64 * mib }]);
  const body = JSON.stringify({ tenant: 'default', scopes: ['admin'] });
  expect(codeOf(await call('POST', '/v1/admin/keys', { body }))).toBe('not_found 404');
});

it('takes a pool with keys, or a guard, and not both or neither', async () => {
  const { guard } = await serveTenants();
  const { pool } = await serve();
  const given = [
    {},
    { pool },
    { auth: 'none' as const },
    { guard, pool },
    { guard, auth: 'none' as const },
  ];
  for (const options of given) {
    expect(() => createServer(options)).toThrow(/takes a pool and auth, or a guard/);
  }
});

it('measures many tenants on a page that stays small', () => {
  const status = (i: number): TenantStatus => ({
    name: `t${i}`,
    createdAtMs: 0,
    quotas: {},
    capacityBytes: 0,
    isOpen: false,
    runningOperations: 0,
    inFlightBytes: 0,
    storedBytes: undefined,
    operations: i,
    refusals: { rate_limited: 0, budget_exceeded: 0 },
  });
  const tenants = Array.from({ length: 1000 }, (_, i) => status(i));
  const guard = { tenants: () => tenants, poolStats: () => undefined };
  const page = metricsPage(numbersOf(guard, new Traffic().stats(0), undefined));
  expect(page).toContain('cenote_tenants 1000\n');
  expect(page.match(/^cenote_tenant_operations_total\{/gm)?.length).toBe(100);
});

it('says when one who came too often may come again', async () => {
  const { call, tenant } = await serveTenants({ clock: { nowMs: () => 1_700_000_000_000 } });
  const key = await tenant('acme', { opsPerSecond: 2 });
  const seen: string[] = [];
  for (let i = 0; i < 4; i++) {
    const answer = await call('GET', path, { key });
    seen.push(codeOf(answer));
    if (answer.status === 429) expect(answer.headers['retry-after']).toBe('1');
  }
  expect(seen).toEqual(['not_found 404', 'not_found 404', 'rate_limited 429', 'rate_limited 429']);
  const never = await tenant('never', { opsPerSecond: 0 });
  const answer = await call('GET', path, { key: never });
  expect(answer.headers['retry-after']).toBe('3600');
});

it('bounds what a tenant has under way, and gives it back however it ends', async () => {
  const { call, tenant, guard, server, url } = await serveTenants();
  const key = await tenant('acme', { inFlightBytes: 1000 });
  const status = (): unknown => guard.tenants()[0];
  expect((await call('PUT', path, { key, body: Buffer.alloc(1000) })).status).toBe(201);
  const tooLarge = await call('PUT', path, { key, body: Buffer.alloc(1001) });
  expect(codeOf(tooLarge)).toBe('budget_exceeded 429');
  expect(tooLarge.headers['retry-after']).toBe('1');
  const chunks = [Buffer.alloc(600), Buffer.alloc(600)];
  expect(codeOf(await call('PUT', path, { key, body: chunks }))).toBe('budget_exceeded 429');
  const cut = await RawClient.to(url);
  const head = `PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n`;
  cut.send(`${head}Content-Length: 900\r\n\r\nhello`);
  await until(() => server.stats().inFlightBytes === 900);
  expect(status()).toMatchObject({ runningOperations: 1, inFlightBytes: 900 });
  // What is read counts as well: its lease holds memory until it is sent.
  expect(codeOf(await call('GET', path, { key }))).toBe('budget_exceeded 429');
  expect((await call('GET', '/v1/contexts', { key })).status).toBe(200);
  expect((await call('PUT', path, { body: Buffer.alloc(5000) })).status).toBe(201);
  cut.socket.resetAndDestroy();
  await once(cut.socket, 'close');
  await until(() => server.stats().running === 0);
  expect(status()).toMatchObject({ runningOperations: 0, inFlightBytes: 0 });
  expect(server.stats().inFlightBytes).toBe(0);
  expect((await call('GET', path, { key })).body.length).toBe(1000);
});

it('publishes nothing for a key that was revoked while its body came', async () => {
  const { call, guard, poolOf, tenant, url } = await serveTenants();
  const key = await tenant('acme');
  const pool = await poolOf(key);
  const client = await RawClient.to(url);
  const head = `PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n`;
  client.send(`${head}Content-Length: 10\r\n\r\nhello`);
  await until(() => guard.tenants()[0]?.inFlightBytes === 10);
  const { keys } = (await call('GET', '/v1/admin/keys?tenant=acme')).json() as {
    keys: { id: string }[];
  };
  expect((await call('DELETE', `/v1/admin/keys/${keys[0]?.id}`)).status).toBe(200);
  client.send('hello');
  await client.receive(/unauthorized/);
  expect(pool.stats().parts).toBe(0);
  client.socket.destroy();
});

it('holds nothing for a problem, while the rest of a body is still read and dropped', async () => {
  const { tenant, guard, url } = await serveTenants({ limits: { lingerMs: 60_000 } });
  const key = await tenant('acme', { inFlightBytes: 100_000 });
  const client = await RawClient.to(url);
  const head = `PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n`;
  client.send(`${head}Transfer-Encoding: chunked\r\n\r\n15f90\r\n`);
  client.send('x'.repeat(90_000));
  client.send('\r\n15f90\r\n');
  client.send('x'.repeat(90_000));
  await client.receive(/budget_exceeded/);
  expect(guard.tenants()[0]).toMatchObject({ runningOperations: 0, inFlightBytes: 0 });
  client.socket.destroy();
});

it('a tenant at many times its quotas changes nothing of another', async () => {
  const { call, tenant, guard, poolOf, errors } = await serveTenants();
  const quotas = { contexts: 5, storedBytes: 100_000, opsPerSecond: 200, inFlightBytes: 50_000 };
  const noisy = await tenant('noisy', quotas);
  const quiet = await tenant('quiet');
  const bytes = Buffer.alloc(10_000, 1);
  for (let i = 0; i < 20; i++)
    await call('PUT', `/v1/contexts/${i}/parts/p`, { key: quiet, body: bytes });
  const before = (await poolOf(quiet)).list();
  const outcomes = new Map<number, number>();
  const hammer = async (i: number): Promise<void> => {
    const body = Buffer.alloc(1000 * ((i % 60) + 1));
    const { status } = await call('PUT', `/v1/contexts/${i}/parts/p`, { key: noisy, body });
    outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
  };
  for (let round = 0; round < 25; round++) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => hammer(20 * round + i)));
    const read = await call('GET', `/v1/contexts/${round % 20}/parts/p`, { key: quiet });
    expect(read.status).toBe(200);
    expect(read.body.equals(bytes)).toBe(true);
  }
  expect(outcomes.get(429)).toBeGreaterThan(400);
  expect(new Set(outcomes.keys())).toEqual(new Set([201, 429]));
  const [, theNoisy, theQuiet] = guard.tenants();
  expect(theNoisy?.storedBytes).toBeLessThanOrEqual(100_000);
  expect(theNoisy).toMatchObject({ inFlightBytes: 0, runningOperations: 0 });
  expect((await poolOf(noisy)).stats().contexts).toBeLessThanOrEqual(5);
  expect(theQuiet?.refusals).toEqual({ rate_limited: 0, budget_exceeded: 0 });
  const versions = (list: typeof before): unknown =>
    list.map(({ id, parts }) => [id, parts.map(({ version, crc32 }) => [version, crc32])]);
  expect(versions((await poolOf(quiet)).list())).toEqual(versions(before));
  expect(errors).toEqual([]);
});
