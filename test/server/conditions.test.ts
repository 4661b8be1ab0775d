import { expect, it } from 'vitest';

import { codeOf } from './support/client.ts';
import { footprint, serve } from './support/serve.ts';

const path = '/v1/contexts/c/parts/p';

/** In the tables, V stands for the part's version. */
const writes: [header: string, value: string, there: boolean, passes: boolean][] = [
  ['if-match', 'V', true, true],
  ['if-match', '"0"', true, false],
  ['if-match', '"0", V', true, true],
  ['if-match', 'W/V', true, false],
  ['if-match', '*', true, true],
  ['if-match', '*', false, false],
  ['if-match', '"1"', false, false],
  ['if-none-match', '*', true, false],
  ['if-none-match', '*', false, true],
  ['if-none-match', 'V', true, false],
  ['if-none-match', '"0"', true, true],
  ['if-none-match', '"1"', false, true],
];

it.each(writes)('writes under %s: %s (part there: %s): %s', async (name, value, there, passes) => {
  const { call, pool } = await serve();
  const options = (version: unknown): { headers: Record<string, string>; body: string } => ({
    headers: { [name]: value.replaceAll('V', `"${String(version)}"`) },
    body: 'new!',
  });
  for (const [method, target] of [
    ['PUT', path],
    ['POST', `${path}/append`],
    ['DELETE', path],
  ] as const) {
    pool.delete('c', 'p');
    const version = there ? pool.put('c', 'p', Buffer.from('old.')) : 0;
    const before = footprint(pool);
    const answer = await call(method, target, options(version));
    if (method === 'DELETE' && !there) {
      expect(codeOf(answer)).toBe('not_found 404');
    } else if (passes) {
      expect(answer.status, method).toBeLessThan(300);
    } else {
      expect(codeOf(answer), method).toBe('version_conflict 412');
      expect(footprint(pool)).toEqual(before);
    }
  }
});

it.each([
  ['if-none-match', 'V', 304],
  ['if-none-match', 'W/V', 304],
  ['if-none-match', '"0", V', 304],
  ['if-none-match', '*', 304],
  ['if-none-match', '"0"', 200],
  ['if-match', 'V', 200],
  ['if-match', '*', 200],
  ['if-match', 'W/V', 412],
  ['if-match', '"0"', 412],
])('reads under %s: %s with %i', async (name, value, status) => {
  const { call, pool } = await serve();
  const version = pool.put('c', 'p', Buffer.from('0123'));
  const headers = { [name]: value.replaceAll('V', `"${version}"`) };
  for (const method of ['GET', 'HEAD']) {
    const answer = await call(method, path, { headers });
    expect(answer.status).toBe(status);
    if (status === 304) expect(answer.headers.etag).toBe(`"${version}"`);
  }
});

it.each([
  ['V', 206],
  ['W/V', 200],
  ['"0"', 200],
  ['Fri, 20 Nov 2026 04:00:00 GMT', 200],
])('takes If-Range %s', async (value, status) => {
  const { call, pool } = await serve();
  const version = pool.put('c', 'p', Buffer.from('0123'));
  const headers = { range: 'bytes=1-2', 'if-range': value.replaceAll('V', `"${version}"`) };
  const answer = await call('GET', path, { headers });
  expect(answer.status).toBe(status);
  expect(answer.body.toString()).toBe(status === 206 ? '12' : '0123');
});

it.each(['', '1', '"1', 'W/1', '"1" "2"', '"1", 2'])('refuses the tag list %j', async (value) => {
  const { call, pool } = await serve();
  pool.put('c', 'p', Buffer.from('0123'));
  const before = footprint(pool);
  for (const name of ['if-match', 'if-none-match']) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await call(method, path, { headers: { [name]: value }, body: 'x' });
      expect(codeOf(answer)).toBe('invalid_argument 400');
    }
  }
  expect(footprint(pool)).toEqual(before);
});

it('notices a write that comes while the body arrives', async () => {
  const { call, pool } = await serve();
  const version = pool.put('c', 'p', Buffer.from('first'));
  const original = pool.beginPut.bind(pool);
  pool.beginPut = (...args) => {
    const draft = original(...args);
    pool.beginPut = original;
    pool.put('c', 'p', Buffer.from('between'));
    return draft;
  };
  const answer = await call('PUT', path, { headers: { 'if-match': `"${version}"` }, body: 'late' });
  expect(codeOf(answer)).toBe('version_conflict 412');
  expect((await call('GET', path)).body.toString()).toBe('between');
});

it('has no versions of contexts', async () => {
  const { call, pool } = await serve();
  pool.put('c', 'p', Buffer.from('x'));
  const answer = await call('DELETE', '/v1/contexts/c', { headers: { 'if-match': '*' } });
  expect(codeOf(answer)).toBe('invalid_argument 400');
  expect(pool.context('c')).toBeDefined();
});
