import { describe, expect, it } from 'vitest';

import { codeOf, type Call } from './support/client.ts';
import { footprint, serve } from './support/serve.ts';

const json = (value: unknown): Call => ({ body: JSON.stringify(value) });

describe('GET /v1/contexts', () => {
  it('pages through ids in order', async () => {
    const { call, pool } = await serve();
    const ids = Array.from({ length: 25 }, (_, i) => `chat-${String(i).padStart(2, '0')}`);
    for (const id of [...ids, 'other', 'größe']) pool.put(id, 'p', Buffer.from(id));
    const seen: string[] = [];
    let after = '';
    for (let pages = 0; pages < 10; pages++) {
      const query = `prefix=chat-&limit=10${after && `&after=${after}`}`;
      const page = (await call('GET', `/v1/contexts?${query}`)).json();
      const contexts = page['contexts'] as { id: string; parts: unknown[] }[];
      seen.push(...contexts.map((context) => context.id));
      if (page['next'] === undefined) break;
      after = page['next'] as string;
    }
    expect(seen).toEqual(ids);
    const all = (await call('GET', '/v1/contexts')).json()['contexts'] as unknown[];
    expect(all.length).toBe(27);
  });

  it.each(['limit=0', 'limit=10001', 'limit=1e3', 'limit=', 'prefix=', 'after=%ff', 'page=2'])(
    'refuses %s',
    async (query) => {
      const { call } = await serve();
      expect(codeOf(await call('GET', `/v1/contexts?${query}`))).toBe('invalid_argument 400');
    },
  );
});

describe('one context', () => {
  it('is described with all its parts', async () => {
    const { call, pool } = await serve();
    const version = pool.put('c', 'tokens', Uint32Array.of(1, 2, 3), { tags: ['t'] });
    pool.put('c', 'note', 'hello', { pinned: true });
    const answer = await call('GET', '/v1/contexts/c');
    const { id, parts } = answer.json() as { id: string; parts: Record<string, unknown>[] };
    expect(id).toBe('c');
    expect(parts.length).toBe(2);
    expect(parts.find((part) => part['part'] === 'tokens')).toMatchObject({
      kind: 'tokens',
      elementType: 'u32',
      sizeBytes: 12,
      version,
      expiresAtMs: null,
      pinned: false,
      sensitive: false,
      tags: ['t'],
    });
    expect(codeOf(await call('GET', '/v1/contexts/none'))).toBe('not_found 404');
  });

  it('is deleted with all its parts', async () => {
    const { call, pool } = await serve();
    pool.put('c', 'a', 'x');
    pool.put('c', 'b', 'y');
    pool.put('d', 'a', 'z');
    expect((await call('DELETE', '/v1/contexts/c')).json()).toEqual({ deleted: 2 });
    expect(codeOf(await call('DELETE', '/v1/contexts/c'))).toBe('not_found 404');
    expect(pool.context('d')).toBeDefined();
  });

  it('expires when it is told to', async () => {
    let nowMs = 1_700_000_000_000;
    const { call, pool } = await serve({ pool: { clock: { nowMs: () => nowMs } } });
    pool.put('c', 'a', 'x');
    pool.put('c', 'b', 'y');
    const one = await call('POST', '/v1/contexts/c/expire', json({ ttlMs: 1000, part: 'a' }));
    expect(one.json()).toEqual({ parts: 1 });
    expect(pool.describe('c', 'a')?.expiresAtMs).toBe(nowMs + 1000);
    const all = await call('POST', '/v1/contexts/c/expire', json({ ttlMs: 5000 }));
    expect(all.json()).toEqual({ parts: 2 });
    const never = await call('POST', '/v1/contexts/c/expire', json({ ttlMs: null, part: 'b' }));
    expect(never.json()).toEqual({ parts: 1 });
    nowMs += 6000;
    expect(codeOf(await call('GET', '/v1/contexts/c/parts/a'))).toBe('not_found 404');
    expect((await call('GET', '/v1/contexts/c/parts/b')).status).toBe(200);
  });

  it('is pinned and unpinned', async () => {
    const { call, pool } = await serve();
    pool.put('c', 'a', 'x');
    pool.put('c', 'b', 'y');
    expect((await call('POST', '/v1/contexts/c/pin')).json()).toEqual({ parts: 2 });
    expect(pool.stats().pinnedParts).toBe(2);
    const one = await call('POST', '/v1/contexts/c/unpin', json({ part: 'a' }));
    expect(one.json()).toEqual({ parts: 1 });
    expect(pool.describe('c', 'a')?.pinned).toBe(false);
    expect(pool.describe('c', 'b')?.pinned).toBe(true);
    expect((await call('POST', '/v1/contexts/c/unpin', json({}))).status).toBe(200);
    expect(pool.stats().pinnedParts).toBe(0);
  });

  it('takes hints', async () => {
    const { call, pool } = await serve();
    pool.put('c', 'a', 'x');
    const answer = await call(
      'POST',
      '/v1/contexts/c/hint',
      json({ toolPending: true, closed: false, stop: 'tool_use' }),
    );
    expect(answer.json()).toEqual({ parts: 1 });
  });

  it.each(['expire', 'pin', 'unpin', 'hint'])('cannot %s when it is not there', async (action) => {
    const { call } = await serve();
    const body = action === 'expire' ? { ttlMs: 1 } : {};
    expect(codeOf(await call('POST', `/v1/contexts/c/${action}`, json(body)))).toBe(
      'not_found 404',
    );
  });
});

it('invalidates by tag', async () => {
  const { call, pool } = await serve();
  pool.put('c', 'a', 'x', { tags: ['doc-7'] });
  pool.put('d', 'a', 'y', { dependsOn: ['doc-7'] });
  pool.put('d', 'b', 'z');
  expect((await call('POST', '/v1/invalidate', json({ tag: 'doc-7' }))).json()).toEqual({
    deleted: 1,
  });
  const derived = await call('POST', '/v1/invalidate', json({ tag: 'dep:doc-7' }));
  expect(derived.json()).toEqual({ deleted: 1 });
  expect((await call('POST', '/v1/invalidate', json({ tag: 'none' }))).json()).toEqual({
    deleted: 0,
  });
  expect(pool.stats().parts).toBe(1);
});

const badBodies: [path: string, body: string][] = [
  ['/v1/invalidate', ''],
  ['/v1/invalidate', '{}'],
  ['/v1/invalidate', '[]'],
  ['/v1/invalidate', 'null'],
  ['/v1/invalidate', '"doc-7"'],
  ['/v1/invalidate', '{"tag":7}'],
  ['/v1/invalidate', '{"tag":""}'],
  ['/v1/invalidate', '{"tag":"\\ud800"}'],
  ['/v1/invalidate', `{"tag":"${'ü'.repeat(257)}"}`],
  ['/v1/invalidate', '{"tag":"t","more":1}'],
  ['/v1/invalidate', '{"tag":"t"'],
  ['/v1/invalidate', '{"__proto__":{"tag":"t"}}'],
  ['/v1/contexts/c/expire', '{}'],
  ['/v1/contexts/c/expire', '{"ttlMs":0}'],
  ['/v1/contexts/c/expire', '{"ttlMs":1.5}'],
  ['/v1/contexts/c/expire', '{"ttlMs":"5"}'],
  ['/v1/contexts/c/expire', `{"ttlMs":${2 ** 47 + 1}}`],
  ['/v1/contexts/c/expire', '{"ttlMs":1,"part":""}'],
  ['/v1/contexts/c/pin', '{"part":null}'],
  ['/v1/contexts/c/hint', '{"closed":"yes"}'],
  ['/v1/contexts/c/hint', '{"stop":"bored"}'],
];

it.each(badBodies)('POST %s refuses %j', async (path, body) => {
  const { call, pool } = await serve();
  pool.put('c', 'a', 'x', { tags: ['t'] });
  const before = footprint(pool);
  expect(codeOf(await call('POST', path, { body }))).toBe('invalid_argument 400');
  expect(footprint(pool)).toEqual(before);
});

it('bounds JSON bodies, and wants UTF-8', async () => {
  const { call } = await serve({ limits: { maxJsonBytes: 100 } });
  const large = Buffer.alloc(101, ' ');
  expect(codeOf(await call('POST', '/v1/invalidate', { body: large }))).toBe('value_too_large 413');
  expect(codeOf(await call('POST', '/v1/invalidate', { body: [large] }))).toBe(
    'value_too_large 413',
  );
  const latin1 = Buffer.from('{"tag":"ü"}', 'latin1');
  expect(codeOf(await call('POST', '/v1/invalidate', { body: latin1 }))).toBe(
    'invalid_argument 400',
  );
});
