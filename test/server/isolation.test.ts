/** What a tenant keeps is to others as if it were not there. */

import { expect, it } from 'vitest';

import type { Pool } from '../../src/pool/api.ts';
import { routes } from '../../src/server/http/routes.ts';
import type { Answer } from './support/client.ts';
import { serveTenants } from './support/tenants.ts';

/** Context, part, tag and tenant that one tenant has; `absent` is like it, and nobody's. */
const theirs = 'their-secret';
const nobodys = 'nobody-knows';

interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

/** Every route about what pools keep, and bodies that name what is asked for. */
function requestsFor(name: string): Request[] {
  const bodies: Readonly<Record<string, string>> = {
    appendPart: 'more',
    writePart: 'mine',
    expire: '{"ttlMs":1}',
    pin: '{}',
    unpin: '{}',
    hint: '{"closed":true}',
    invalidate: JSON.stringify({ tag: name }),
    batchGet: JSON.stringify({ parts: [{ id: name, part: name }] }),
    batchPut: `${JSON.stringify({ id: name, part: name, sizeBytes: 4 })}\nmine`,
  };
  const queries: Readonly<Record<string, string>> = {
    listContexts: `?prefix=${name}`,
    listParts: `?after=${name}`,
  };
  return routes
    .filter((route) => route.pool === true && route.operation !== 'stats')
    .map(({ method, path, operation }) => {
      const target =
        path.replace('{id}', name).replace('{part}', name) + (queries[operation] ?? '');
      const body = bodies[operation];
      return { method, path: target, ...(body !== undefined && { body }) };
    });
}

/** An answer without what differs between any two: versions, times, and the name itself. */
function essence({ status, headers, body }: Answer, name: string): unknown {
  const { date: _, etag, ...rest } = headers;
  const text = body
    .toString('latin1')
    .replaceAll(name, 'NAME')
    .replaceAll(/\d{16}/g, 'VERSION');
  return { status, rest, tagged: etag !== undefined, text };
}

function operationsOf(pool: Pool): Record<string, number> {
  const { operations, parts, partBytes, contexts } = pool.stats();
  return { ...operations, parts, partBytes, contexts };
}

it('every route answers for what another tenant has as for what nobody has', async () => {
  const test = await serveTenants();
  const owner = await test.tenant('landlord');
  const mine = await test.tenant('mine');
  const put = await test.call('PUT', `/v1/contexts/${theirs}/parts/${theirs}?tags=${theirs}`, {
    key: owner,
    body: 'classified',
  });
  expect(put.status).toBe(201);
  const pool = await test.poolOf(owner);
  const own = await test.poolOf(mine);
  const untouched = operationsOf(pool);
  const requests = requestsFor(theirs);
  expect(requests.length).toBeGreaterThanOrEqual(15);
  for (const [i, { method, path, body }] of requests.entries()) {
    const other = requestsFor(nobodys)[i] as Request;
    const before = operationsOf(own);
    const options = body === undefined ? {} : { body };
    const forTheirs = await test.call(method, path, { key: mine, ...options });
    const between = operationsOf(own);
    own.delete(theirs);
    const deleted = operationsOf(own);
    const forNobodys = await test.call(other.method, other.path, {
      key: mine,
      ...(other.body !== undefined && { body: other.body }),
    });
    const after = operationsOf(own);
    const what = `${method} ${path}`;
    expect(essence(forTheirs, theirs), what).toEqual(essence(forNobodys, nobodys));
    expect(forTheirs.body.toString(), what).not.toContain('classified');
    // The same work is done for both, in a pool of one's own: so it takes the same time too.
    const work = Object.keys(before).map((name) => (between[name] ?? 0) - (before[name] ?? 0));
    const same = Object.keys(before).map((name) => (after[name] ?? 0) - (deleted[name] ?? 0));
    expect(work, what).toEqual(same);
    own.delete(nobodys);
    // And none in that of the other tenant.
    expect(operationsOf(pool), what).toEqual(untouched);
  }
  expect(pool.get(theirs, theirs)?.text()).toBe('classified');
});

it('the pages of a tenant say nothing of others', async () => {
  const test = await serveTenants();
  const owner = await test.tenant('landlord');
  const mine = await test.tenant('mine');
  await test.call('PUT', `/v1/contexts/${theirs}/parts/p`, { key: owner, body: 'classified' });
  for (const path of ['/metrics', '/v1/stats', '/v1/contexts']) {
    const text = (await test.call('GET', path, { key: mine })).body.toString();
    expect(text, path).not.toMatch(/landlord|their-secret/);
    expect(text, path).not.toContain('cenote_http');
  }
  const admin = (await test.call('GET', '/metrics')).body.toString();
  expect(admin).toContain('cenote_parts{tenant="landlord"} 1\n');
  expect(admin).toContain('cenote_tenant_open{tenant="mine"} 1\n');
  expect(admin).toContain('cenote_tenants 3\n');
  expect(admin).toContain('cenote_http_connections 1\n');
  const stats = (await test.call('GET', '/v1/stats', { key: mine })).json();
  expect(stats).toMatchObject({ tenant: { name: 'mine' }, pool: { parts: 0 } });
  expect(stats).not.toHaveProperty('http');
});

it('a key does what its scopes say, and nothing else', async () => {
  const test = await serveTenants();
  const keys = new Map<string, string>();
  await test.tenant('mine');
  for (const scope of ['ctx:read', 'ctx:write', 'ctx:delete', 'admin'] as const) {
    const made = await test.guard.administration.createKey({ tenant: 'mine', scopes: [scope] });
    keys.set(scope, made.key);
  }
  for (const route of routes) {
    if (route.scope === undefined) continue;
    const path = route.path.replace('{id}', 'none').replace('{part}', 'none');
    for (const [scope, key] of keys) {
      const { status, body } = await test.call(route.method, path, { key });
      const what = `${route.method} ${path} with ${scope}`;
      expect(status === 403, what).toBe(scope !== route.scope);
      if (status === 403 && route.method !== 'HEAD') {
        expect(body.toString(), what).toContain(`no scope ${route.scope}`);
      }
    }
  }
  expect(test.errors).toEqual([]);
});

it('revoked keys, removed tenants and keys that never were are refused alike', async () => {
  const test = await serveTenants();
  const gone = await test.tenant('gone');
  const mine = await test.tenant('mine');
  const id = test.guard.administration.keys().find(({ tenant }) => tenant === 'mine')?.id;
  expect((await test.call('GET', '/v1/contexts', { key: mine })).status).toBe(200);
  await test.call('DELETE', '/v1/admin/tenants/gone');
  await test.call('DELETE', `/v1/admin/keys/${id}`);
  const answers: unknown[] = [];
  for (const key of [gone, mine, `cn_${'x'.repeat(43)}`, 'short']) {
    for (const path of ['/v1/contexts', '/metrics', '/v1/admin/tenants/mine', '/no/such']) {
      answers.push(essence(await test.call('GET', path, { key }), key));
    }
  }
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 401 });
});
