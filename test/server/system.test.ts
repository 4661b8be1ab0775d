import { describe, expect, it } from 'vitest';

import { errorTable } from '../../src/errors.ts';
import { openApiOf } from '../../src/server/http/openapi.ts';
import { chatSchemas } from '../../src/server/chat/schemas.ts';
import { kserveSchemas } from '../../src/server/kserve/schemas.ts';
import { answerSchemas } from '../../src/server/http/openapi-schemas.ts';
import { routes } from '../../src/server/http/routes.ts';
import { codeOf } from './support/client.ts';
import { serve } from './support/serve.ts';

describe('health', () => {
  it('answers without a key', async () => {
    const { call, server } = await serve();
    expect((await call('GET', '/healthz', { key: null })).json()).toEqual({ status: 'ok' });
    expect((await call('HEAD', '/healthz', { key: null })).headers['content-length']).toBe('15');
    expect((await call('GET', '/readyz', { key: null })).json()).toEqual({ status: 'ready' });
    server.drain();
    const answer = await call('GET', '/readyz', { key: null });
    expect(codeOf(answer)).toBe('shutting_down 503');
    expect(answer.headers['retry-after']).toBe('1');
    expect((await call('GET', '/healthz', { key: null })).status).toBe(200);
    expect((await call('PUT', '/v1/contexts/c/parts/p', { body: 'x' })).status).toBe(201);
  });
});

describe('openapi.json', () => {
  interface Operation {
    operationId: string;
    security?: unknown[];
    parameters: { name: string; in: string }[];
    responses: Record<string, { content?: Record<string, { schema?: { $ref?: string } }> }>;
    requestBody?: { content: Record<string, unknown> };
  }

  it('is served to everyone, as made from the routes', async () => {
    const { call } = await serve();
    const answer = await call('GET', '/openapi.json', { key: null });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.json()).toEqual(JSON.parse(JSON.stringify(openApiOf(routes))));
  });

  it('names every route, and the server has every operation it names', async () => {
    const { call } = await serve();
    const paths = (await call('GET', '/openapi.json')).json()['paths'] as Record<
      string,
      Record<string, Operation>
    >;
    for (const route of routes) {
      const operation = paths[route.path]?.[route.method.toLowerCase()];
      expect(operation?.operationId).toBe(route.operation);
      const scopes = route.scope === undefined ? undefined : [{ key: [route.scope] }];
      expect(operation?.security).toEqual(route.open === true ? [] : scopes);
      const inQuery = operation?.parameters.filter((parameter) => parameter.in === 'query') ?? [];
      expect(inQuery.map(({ name }) => name)).toEqual((route.query ?? []).map(({ name }) => name));
      expect(operation?.requestBody === undefined).toBe(route.body === undefined);
    }
    const operations = Object.entries(paths).flatMap(([path, byMethod]) =>
      Object.keys(byMethod).map((method) => ({ path, method: method.toUpperCase() })),
    );
    expect(operations.length).toBe(routes.length);
    for (const { path, method } of operations) {
      const answer = await call(method, path.replace('{id}', 'c').replace('{part}', 'p'));
      expect(answer.status, `${method} ${path}`).not.toBe(405);
      if (answer.status === 404 && method !== 'HEAD') {
        const { detail, error } = answer.json() as {
          detail?: string;
          error?: string | { message: string };
        };
        const told = typeof error === 'object' ? error.message : error;
        expect(detail ?? told, `${method} ${path}`).toMatch(
          /^There (is no (part|context|tenant|model)|are no tenants)/,
        );
      }
    }
    for (const [path, byMethod] of Object.entries(paths)) {
      const other = ['GET', 'PUT', 'POST', 'DELETE'].filter(
        (method) => !(method.toLowerCase() in byMethod),
      );
      for (const method of other) {
        const answer = await call(method, path.replace('{id}', 'c').replace('{part}', 'p'));
        expect(answer.status, `${method} ${path}`).toBe(405);
      }
    }
  });

  it('has no dangling references, and unique operations', () => {
    const text = JSON.stringify(openApiOf(routes));
    const names = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map((match) => match[1]);
    const schemas = { ...answerSchemas, ...chatSchemas, ...kserveSchemas };
    expect(new Set(names)).toEqual(new Set(Object.keys(schemas)));
    expect(new Set(routes.map((route) => route.operation)).size).toBe(routes.length);
  });
});

describe('metrics and statistics', () => {
  it('are valid exposition text that follows the pool', async () => {
    const { call, pool } = await serve();
    await call('PUT', '/v1/contexts/c/parts/p', { body: 'hello' });
    await call('GET', '/v1/contexts/c/parts/p');
    await call('GET', '/v1/contexts/c/parts/q');
    const answer = await call('GET', '/metrics');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = answer.body.toString();
    const values = new Map<string, number>();
    let family = '';
    for (const line of text.trimEnd().split('\n')) {
      const head = /^# (HELP|TYPE) (cenote_[a-z_]+) (.+)$/.exec(line);
      if (head === null) {
        const sample = /^(cenote_[a-z_]+)(\{[a-z]+="\w+"(?:,[a-z]+="\w+")*\})? (-?[\d.e+-]+)$/.exec(
          line,
        );
        expect(sample, line).not.toBeNull();
        expect(sample?.[1]).toBe(family);
        expect(values.has(`${sample?.[1]}${sample?.[2] ?? ''}`)).toBe(false);
        values.set(`${sample?.[1]}${sample?.[2] ?? ''}`, Number(sample?.[3]));
      } else if (head[1] === 'HELP') {
        family = head[2] as string;
      } else {
        expect(head[2]).toBe(family);
        expect(head[3], line).toBe(family.endsWith('_total') ? 'counter' : 'gauge');
      }
    }
    const of = (name: string): number | undefined => values.get(`cenote_${name}{tenant="default"}`);
    expect(of('parts')).toBe(1);
    expect(of('part_bytes')).toBe(5);
    expect(of('puts_total')).toBe(1);
    expect(of('hits_total')).toBe(1);
    expect(of('misses_total')).toBe(1);
    expect(of('capacity_bytes')).toBe(pool.stats().capacityBytes);
    expect(of('used_ratio')).toBeGreaterThan(0);
    expect(values.get('cenote_http_responses_total{status="404"}')).toBe(1);
    expect(of('tenant_operations_total')).toBe(4);
    expect(of('tenant_running_operations')).toBe(1);
    expect(values.get('cenote_tenants')).toBe(1);
    expect(values.get('cenote_http_connections')).toBe(1);
    expect(values.get('cenote_http_running_requests')).toBe(1);
  });

  it('are JSON too', async () => {
    const { call, pool } = await serve();
    await call('PUT', '/v1/contexts/c/parts/p', { body: 'hello' });
    const { pool: stats, tenant, http } = (await call('GET', '/v1/stats')).json();
    expect(tenant).toMatchObject({ name: 'default', isOpen: true, runningOperations: 1 });
    expect(stats).toEqual(JSON.parse(JSON.stringify(pool.stats())));
    expect(http).toEqual({ connections: 1, running: 1, inFlightBytes: 0, responses: { '201': 1 } });
  });
});

describe('errors', () => {
  it('without a code say nothing of their inside', async () => {
    const { call, pool, errors } = await serve();
    const broken = new Error('secret detail');
    pool.stats = () => {
      throw broken;
    };
    const answer = await call('GET', '/v1/stats');
    expect(answer.status).toBe(500);
    expect(answer.json()).toMatchObject({ status: 500, code: 'internal', title: 'Internal error' });
    expect(answer.body.toString()).not.toContain('secret');
    expect(errors).toEqual([broken]);
  });

  it('of the pool keep their code and advice', async () => {
    const { call, pool } = await serve();
    await pool.close();
    const answer = await call('GET', '/v1/contexts/c/parts/p');
    expect(codeOf(answer)).toBe('pool_closed 503');
    expect(answer.json()).toEqual({
      type: 'urn:cenote:problem:pool_closed',
      title: 'Pool closed',
      status: 503,
      detail: expect.any(String) as string,
      code: 'pool_closed',
      advice: errorTable.pool_closed.advice,
    });
  });
});
