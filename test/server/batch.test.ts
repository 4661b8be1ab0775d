import { expect, it } from 'vitest';

import { BatchParser, batchLineMaxBytes, batchType } from '../../src/server/http/batch-parser.ts';
import { codeOf } from './support/client.ts';
import { parameters } from './support/fuzz.ts';
import { footprint, serve } from './support/serve.ts';
import { fc } from '../support/properties.ts';

interface Line extends Record<string, unknown> {
  readonly sizeBytes: number;
}

/** A batch as clients write it. */
function batchOf(...parts: readonly (readonly [object, Uint8Array | string])[]): Buffer {
  return Buffer.concat(
    parts.flatMap(([line, data]) => {
      const bytes = Buffer.from(data as string);
      return [Buffer.from(`${JSON.stringify({ sizeBytes: bytes.length, ...line })}\n`), bytes];
    }),
  );
}

/** A batch as clients read it. */
function readBatch(body: Buffer): [Line, Buffer][] {
  const parts: [Line, Buffer][] = [];
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(0x0a, at);
    const line = JSON.parse(body.subarray(at, end).toString()) as Line;
    at = end + 1 + line.sizeBytes;
    parts.push([line, body.subarray(end + 1, at)]);
  }
  return parts;
}

it('writes and reads many parts at once', async () => {
  const { call, pool } = await serve();
  const large = Buffer.alloc(1_000_000, 7);
  const body = batchOf(
    [{ id: 'a', part: 'text', type: 'utf8', tags: ['t'], ttlMs: 60_000 }, 'grüße\n'],
    [{ id: 'a', part: 'ids', type: 'u32' }, Buffer.from(Uint32Array.of(1, 2, 3).buffer)],
    [{ id: 'b', part: 'large' }, large],
    [{ id: 'b', part: 'empty' }, ''],
  );
  const put = await call('POST', '/v1/batch/put', { body });
  expect(put.status).toBe(200);
  expect(put.json()['results']).toMatchObject([
    { id: 'a', part: 'text', status: 201, sizeBytes: 8 },
    { id: 'a', part: 'ids', status: 201, sizeBytes: 12 },
    { id: 'b', part: 'large', status: 201, sizeBytes: 1_000_000 },
    { id: 'b', part: 'empty', status: 201, sizeBytes: 0 },
  ]);
  expect(pool.describe('a', 'text')).toMatchObject({ elementType: 'utf8', tags: ['t'] });
  const parts = [
    { id: 'b', part: 'large' },
    { id: 'a', part: 'absent' },
    { id: 'a', part: 'text' },
    { id: 'b', part: 'empty' },
    { id: 'a', part: 'ids' },
  ];
  const got = await call('POST', '/v1/batch/get', { body: JSON.stringify({ parts }) });
  expect(got.headers['content-type']).toBe(batchType);
  const read = readBatch(got.body);
  expect(read.map(([line]) => line)).toMatchObject([
    { ...parts[0], status: 200, version: pool.describe('b', 'large')?.version },
    { ...parts[1], status: 404, code: 'not_found', sizeBytes: 0 },
    { ...parts[2], status: 200, type: 'utf8', kind: 'metadata' },
    { ...parts[3], status: 200, sizeBytes: 0 },
    { ...parts[4], status: 200, type: 'u32' },
  ]);
  expect(read[0]?.[1].equals(large)).toBe(true);
  expect(read[2]?.[1].toString()).toBe('grüße\n');
  expect(read[4]?.[1].readUInt32LE(8)).toBe(3);
  pool.delete('b');
  expect(pool.stats().retiredParts).toBe(0);
});

it('gives each part an outcome of its own', async () => {
  const { call, pool } = await serve({ pool: { capacityBytes: 2 ** 22 } });
  const version = pool.put('a', 'p', 'old');
  const body = batchOf(
    [{ id: 'a', part: 'p', ifVersion: version - 1 }, 'refused'],
    [{ id: 'a', part: 'q', type: 'u32' }, 'odd'],
    [{ id: 'a', part: 'r', type: 'utf8' }, Uint8Array.of(0xff)],
    [{ id: 'a', part: 's', sizeBytes: 5_000_000 }, Buffer.alloc(5_000_000)],
    [{ id: 'a', part: 'p', ifVersion: version }, 'new'],
  );
  const { results } = (await call('POST', '/v1/batch/put', { body })).json();
  expect(results).toMatchObject([
    { part: 'p', status: 412, code: 'version_conflict' },
    { part: 'q', status: 400, code: 'invalid_argument' },
    { part: 'r', status: 400, code: 'invalid_argument' },
    { part: 's', status: 413, code: 'value_too_large' },
    { part: 'p', status: 200 },
  ]);
  expect(pool.get('a', 'p')?.text()).toBe('new');
  expect(pool.context('a')?.partCount).toBe(1);
});

it.each([
  ['a line that is no JSON', 'x\n'],
  ['a line that is no object', '[]\n'],
  ['no size', '{"id":"a","part":"p"}\n'],
  ['an unknown field', '{"id":"a","part":"p","sizeBytes":0,"x":1}\n'],
  ['bytes that are missing', '{"id":"a","part":"p","sizeBytes":2}\nx'],
  ['a line without an end', '{"id":"a","part":"p","sizeBytes":2}'],
  ['a line that never ends', ' '.repeat(batchLineMaxBytes + 1)],
])('refuses %s, and says what is done', async (_, text) => {
  const { call, pool, server } = await serve();
  pool.put('other', 'p', 'x');
  const before = footprint(pool);
  const good = batchOf([{ id: 'done', part: 'p' }, 'done']);
  const answer = await call('POST', '/v1/batch/put', {
    body: Buffer.concat([good, Buffer.from(text)]),
  });
  expect(codeOf(answer)).toBe('invalid_argument 400');
  expect(answer.json()['detail']).toMatch(/ 1 parts before it have an outcome\.$/);
  expect(pool.delete('done')).toBe(1);
  expect(footprint(pool)).toEqual(before);
  expect(server.stats().inFlightBytes).toBe(0);
});

it('bounds how many parts, and how many bytes', async () => {
  const { call, pool } = await serve({ limits: { maxBatchParts: 3, maxBatchBytes: 100 } });
  pool.put('a', 'p', Buffer.alloc(60));
  const body = (count: number): string =>
    JSON.stringify({ parts: Array.from({ length: count }, () => ({ id: 'a', part: 'p' })) });
  expect((await call('POST', '/v1/batch/get', { body: body(1) })).status).toBe(200);
  expect(codeOf(await call('POST', '/v1/batch/get', { body: body(2) }))).toBe(
    'value_too_large 413',
  );
  expect(codeOf(await call('POST', '/v1/batch/get', { body: body(4) }))).toBe(
    'invalid_argument 400',
  );
  expect(codeOf(await call('POST', '/v1/batch/get', { body: body(257) }))).toBe(
    'invalid_argument 400',
  );
  const four = batchOf(...Array.from({ length: 4 }, () => [{ id: 'b', part: 'p' }, 'x'] as const));
  expect(codeOf(await call('POST', '/v1/batch/put', { body: four }))).toBe('invalid_argument 400');
});

it('tells fewer parts of each context, the more contexts are asked for', async () => {
  const { call, pool } = await serve();
  for (let i = 0; i < 120; i++) pool.put('x', `p${i}`, 'x');
  const told = async (limit: number): Promise<number> => {
    const { contexts } = (await call('GET', `/v1/contexts?limit=${limit}`)).json();
    const [context] = contexts as { parts: unknown[]; partCount: number }[];
    expect(context?.partCount).toBe(120);
    return context?.parts.length ?? 0;
  };
  expect(await told(1)).toBe(100);
  expect(await told(1000)).toBe(10);
  expect(await told(10_000)).toBe(1);
});

it('lists parts in pages', async () => {
  const { call, pool } = await serve();
  for (const part of ['a', 'b', 'c']) pool.put('x', part, part);
  const first = (await call('GET', '/v1/contexts/x/parts?limit=2')).json();
  expect(first).toMatchObject({ parts: [{ part: 'a' }, { part: 'b' }], partCount: 3, next: 'b' });
  const second = (await call('GET', '/v1/contexts/x/parts?limit=2&after=b')).json();
  expect(second).toMatchObject({ parts: [{ part: 'c' }], partCount: 3 });
  expect(second).not.toHaveProperty('next');
  expect(codeOf(await call('GET', '/v1/contexts/y/parts'))).toBe('not_found 404');
});

it('reads a batch however its bytes are cut', () => {
  const parts = fc.array(fc.tuple(fc.string(), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 });
  fc.assert(
    fc.property(parts, fc.array(fc.integer({ min: 1, max: 50 })), (given, cuts) => {
      const body = batchOf(...given.map(([id, bytes]) => [{ id }, bytes] as const));
      const seen: [string, Buffer][] = [];
      const parser = new BatchParser((line) => {
        const { id, sizeBytes } = line as { id: string; sizeBytes: number };
        const chunks: Buffer[] = [];
        return {
          sizeBytes,
          sink: {
            write: (chunk) => void chunks.push(chunk),
            finish: () => void seen.push([id, Buffer.concat(chunks)]),
          },
        };
      });
      let at = 0;
      for (const cut of [...cuts, body.length]) {
        parser.push(body.subarray(at, at + cut));
        at += cut;
      }
      parser.finish();
      expect(seen).toEqual(given.map(([id, bytes]) => [id, Buffer.from(bytes)]));
    }),
    parameters(300),
  );
});
