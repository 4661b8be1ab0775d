import { describe, expect, it } from 'vitest';

import { elementTypes } from '../../src/pool/api.ts';
import { bytesPerElement, elementCode } from '../../src/store/element.ts';
import { codeOf } from './support/client.ts';
import { footprint, serve } from './support/serve.ts';

const path = '/v1/contexts/chat-42/parts/tokens';

describe('PUT', () => {
  it('creates, then replaces', async () => {
    const { call, pool } = await serve();
    const created = await call('PUT', path, { body: 'first' });
    expect(created.status).toBe(201);
    const { version, sizeBytes } = created.json();
    expect(sizeBytes).toBe(5);
    expect(created.headers.etag).toBe(`"${String(version)}"`);
    const replaced = await call('PUT', path, { body: 'the second' });
    expect(replaced.status).toBe(200);
    expect(replaced.json()['sizeBytes']).toBe(10);
    expect(Number(replaced.json()['version'])).toBeGreaterThan(Number(version));
    const lease = pool.get('chat-42', 'tokens');
    expect(Buffer.from(lease?.data as Uint8Array).toString()).toBe('the second');
    lease?.release();
  });

  it('passes every option to the pool', async () => {
    const { call, pool } = await serve();
    const query =
      '?kind=attention&type=f32&ttlMs=3600000&tags=a,b%5C,c,d%20e&dependsOn=doc-7&pinned=true&sensitive=true';
    const before = Date.now();
    expect((await call('PUT', path + query, { body: Buffer.alloc(8) })).status).toBe(201);
    const info = pool.describe('chat-42', 'tokens');
    expect(info).toMatchObject({
      kind: 'attention',
      elementType: 'f32',
      pinned: true,
      sensitive: true,
    });
    expect([...(info?.tags ?? [])].sort()).toEqual(['a', 'b,c', 'd e', 'dep:doc-7']);
    expect(info?.expiresAtMs).toBeGreaterThanOrEqual(before + 3_600_000);
    expect(info?.expiresAtMs).toBeLessThanOrEqual(Date.now() + 3_600_000);
  });

  it('takes chunked bodies, and empty ones', async () => {
    const { call } = await serve();
    const chunks = [Buffer.from('one '), Buffer.alloc(100_000, 'x'), Buffer.from(' two')];
    expect((await call('PUT', path, { body: chunks })).json()['sizeBytes']).toBe(100_008);
    expect((await call('GET', path)).body).toEqual(Buffer.concat(chunks));
    expect((await call('PUT', path, { body: '' })).json()['sizeBytes']).toBe(0);
    const empty = await call('GET', path);
    expect(empty.status).toBe(200);
    expect(empty.body.length).toBe(0);
    expect((await call('PUT', path, { body: [] })).json()['sizeBytes']).toBe(0);
  });

  it.each(elementTypes)('stores and shows element type %s', async (type) => {
    const { call, pool } = await serve();
    const bytes = Buffer.from('Grüße 12');
    const whole = bytes.subarray(0, 8);
    expect((await call('PUT', `${path}?type=${type}`, { body: whole })).status).toBe(201);
    const answer = await call('GET', path);
    expect(answer.body).toEqual(whole);
    expect(answer.headers['x-cenote-type']).toBe(type);
    expect(answer.headers['x-cenote-kind']).toBe(pool.describe('chat-42', 'tokens')?.kind);
    expect(answer.headers['content-type']).toBe(
      type === 'utf8' ? 'text/plain; charset=utf-8' : 'application/octet-stream',
    );
    const odd = bytesPerElement(elementCode(type)) + 1;
    if (odd > 2) {
      const before = footprint(pool);
      const announced = await call('PUT', `${path}?type=${type}`, { body: Buffer.alloc(odd) });
      expect(codeOf(announced)).toBe('invalid_argument 400');
      const chunked = await call('PUT', `${path}?type=${type}`, { body: [Buffer.alloc(odd)] });
      expect(codeOf(chunked)).toBe('invalid_argument 400');
      expect(footprint(pool)).toEqual(before);
    }
  });

  it('refuses text that is not UTF-8', async () => {
    const { call, pool } = await serve();
    const before = footprint(pool);
    for (const body of [
      Buffer.of(0xff),
      Buffer.of(0x61, 0xe2, 0x82),
      Buffer.of(0xed, 0xa0, 0x80),
    ]) {
      expect(codeOf(await call('PUT', `${path}?type=utf8`, { body }))).toBe('invalid_argument 400');
    }
    expect(footprint(pool)).toEqual(before);
  });

  it('wants to know how long the body is, unencoded', async () => {
    const { call } = await serve();
    const unframed = { headers: { 'transfer-encoding': 'identity' } };
    expect(codeOf(await call('PUT', path, unframed))).toBe('unsupported_encoding 415');
    const gzip = { headers: { 'content-encoding': 'gzip' }, body: 'x' };
    expect(codeOf(await call('PUT', path, gzip))).toBe('unsupported_encoding 415');
    const plain = { headers: { 'content-encoding': 'identity' }, body: 'x' };
    expect((await call('PUT', path, plain)).status).toBe(201);
  });

  it('refuses a piece of a part, which it would take for the whole', async () => {
    const { call, pool } = await serve();
    pool.put('chat-42', 'tokens', Buffer.from('whole'));
    const piece = { headers: { 'content-range': 'bytes 0-0/5' }, body: 'W' };
    expect(codeOf(await call('PUT', path, piece))).toBe('invalid_argument 400');
    expect(codeOf(await call('POST', `${path}/append`, piece))).toBe('invalid_argument 400');
    expect(pool.describe('chat-42', 'tokens')?.sizeBytes).toBe(5);
  });

  it('bounds the body, announced or not', async () => {
    const { call, pool } = await serve({ limits: { maxBodyBytes: 1000 } });
    expect((await call('PUT', path, { body: Buffer.alloc(1000) })).status).toBe(201);
    const before = footprint(pool);
    const over = Buffer.alloc(1001);
    expect(codeOf(await call('PUT', path, { body: over }))).toBe('value_too_large 413');
    expect(codeOf(await call('PUT', path, { body: [over] }))).toBe('value_too_large 413');
    expect(footprint(pool)).toEqual(before);
  });
});

describe('GET', () => {
  it('answers 404 for what is not there', async () => {
    const { call } = await serve();
    expect(codeOf(await call('GET', path))).toBe('not_found 404');
    expect((await call('HEAD', path)).status).toBe(404);
    await call('PUT', path, { body: 'x' });
    expect(codeOf(await call('GET', '/v1/contexts/chat-42/parts/other'))).toBe('not_found 404');
  });

  it('says in HEAD what it says in GET', async () => {
    const { call, pool } = await serve();
    await call('PUT', path, { body: 'some bytes' });
    const uses = pool.describe('chat-42', 'tokens')?.uses;
    const head = await call('HEAD', path);
    expect(pool.describe('chat-42', 'tokens')?.uses).toBe(uses);
    const get = await call('GET', path);
    const { date: _, ...headHeaders } = head.headers;
    const { date: __, ...getHeaders } = get.headers;
    expect(headHeaders).toEqual(getHeaders);
    expect(head.body.length).toBe(0);
    expect(get.headers).toMatchObject({
      'content-length': '10',
      'accept-ranges': 'bytes',
      'x-cenote-version': String(pool.describe('chat-42', 'tokens')?.version),
      'x-content-type-options': 'nosniff',
    });
  });

  it('sends parts larger than a slice whole', async () => {
    const { call } = await serve({ limits: { sliceBytes: 4096 } });
    for (const size of [4095, 4096, 4097, 8192, 1_000_001]) {
      const body = Buffer.alloc(size, 'abcdefg');
      await call('PUT', path, { body });
      expect((await call('GET', path)).body.equals(body), String(size)).toBe(true);
    }
  });

  it.each([
    ['bytes=0-3', 206, '0123'],
    ['bytes=4-4', 206, '4'],
    ['bytes=5-', 206, '56789'],
    ['bytes=-3', 206, '789'],
    ['bytes=-100', 206, '0123456789'],
    ['bytes=0-99999999999999999999', 206, '0123456789'],
    ['bytes=10-', 416, ''],
    ['bytes=99999999999999999999-', 416, ''],
    ['bytes=-0', 416, ''],
    ['bytes=3-2', 200, '0123456789'],
    ['bytes=0-1,3-4', 200, '0123456789'],
    ['bytes=-', 200, '0123456789'],
    ['bytes=a-b', 200, '0123456789'],
    ['tokens=0-3', 200, '0123456789'],
  ])('answers Range %s with %i', async (range, status, text) => {
    const { call } = await serve();
    await call('PUT', path, { body: '0123456789' });
    const answer = await call('GET', path, { headers: { range } });
    expect(answer.status).toBe(status);
    if (status === 416) {
      expect(codeOf(answer)).toBe('range_not_satisfiable 416');
      expect(answer.headers['content-range']).toBe('bytes */10');
    } else {
      expect(answer.body.toString()).toBe(text);
      const first = '0123456789'.indexOf(text);
      expect(answer.headers['content-range']).toBe(
        status === 206 ? `bytes ${first}-${first + text.length - 1}/10` : undefined,
      );
    }
  });

  it('releases its lease, whatever it answers', async () => {
    const { call, pool } = await serve();
    const version = (await call('PUT', path, { body: '0123456789' })).json()['version'];
    await call('GET', path);
    await call('GET', path, { headers: { 'if-none-match': `"${String(version)}"` } });
    await call('GET', path, { headers: { 'if-match': '"0"' } });
    await call('GET', path, { headers: { range: 'bytes=99-' } });
    await call('DELETE', path);
    expect(pool.stats().retiredParts).toBe(0);
  });
});

describe('POST …/append', () => {
  it('creates, then extends', async () => {
    const { call } = await serve();
    const created = await call('POST', `${path}/append?type=u32`, { body: Buffer.alloc(8, 1) });
    expect(created.status).toBe(201);
    const extended = await call('POST', `${path}/append`, { body: [Buffer.alloc(4, 2)] });
    expect(extended.status).toBe(200);
    expect(extended.json()['sizeBytes']).toBe(12);
    expect(extended.headers.etag).toBe(`"${String(extended.json()['version'])}"`);
    const { body, headers } = await call('GET', path);
    expect(body).toEqual(Buffer.concat([Buffer.alloc(8, 1), Buffer.alloc(4, 2)]));
    expect(headers['x-cenote-type']).toBe('u32');
    expect(headers['x-cenote-kind']).toBe('tokens');
  });

  it('extends text by text', async () => {
    const { call, pool } = await serve();
    await call('POST', `${path}/append?type=utf8`, { body: 'Grüße' });
    await call('POST', `${path}/append`, { body: ' 🌊' });
    expect((await call('GET', path)).body.toString()).toBe('Grüße 🌊');
    const before = footprint(pool);
    const half = Buffer.from('🌊').subarray(0, 2);
    expect(codeOf(await call('POST', `${path}/append`, { body: half }))).toBe(
      'invalid_argument 400',
    );
    expect(footprint(pool)).toEqual(before);
  });

  it('refuses another element type, elements cut in half and bodies without bounds', async () => {
    const { call } = await serve({ limits: { maxAppendBytes: 16 } });
    await call('PUT', `${path}?type=u32`, { body: Buffer.alloc(4) });
    const other = await call('POST', `${path}/append?type=f32`, { body: Buffer.alloc(4) });
    expect(codeOf(other)).toBe('element_type_mismatch 409');
    expect(codeOf(await call('POST', `${path}/append`, { body: 'abc' }))).toBe(
      'invalid_argument 400',
    );
    const large = Buffer.alloc(20);
    expect(codeOf(await call('POST', `${path}/append`, { body: large }))).toBe(
      'value_too_large 413',
    );
    expect(codeOf(await call('POST', `${path}/append`, { body: [large] }))).toBe(
      'value_too_large 413',
    );
    expect((await call('GET', path)).body.length).toBe(4);
  });
});

describe('DELETE', () => {
  it('deletes a part once', async () => {
    const { call } = await serve();
    await call('PUT', path, { body: 'x' });
    const answer = await call('DELETE', path);
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ deleted: 1 });
    expect(codeOf(await call('DELETE', path))).toBe('not_found 404');
    expect(codeOf(await call('GET', path))).toBe('not_found 404');
  });
});

describe('a full pool', () => {
  it('answers 507 and changes nothing', async () => {
    const { call, pool } = await serve({ pool: { capacityBytes: 8 * 2 ** 20 } });
    expect((await call('PUT', `${path}?pinned=true`, { body: Buffer.alloc(2 ** 20) })).status).toBe(
      201,
    );
    let status = 201;
    for (let i = 0; status === 201; i++) {
      const pinned = `/v1/contexts/c${i}/parts/p?pinned=true`;
      ({ status } = await call('PUT', pinned, { body: Buffer.alloc(300_000) }));
    }
    expect(status).toBe(507);
    const before = footprint(pool);
    const large = Buffer.alloc(1_500_000, 7);
    for (const body of [large, [large.subarray(0, 700_000), large.subarray(700_000)]]) {
      const refused = await call('PUT', path, { body });
      expect(codeOf(refused)).toBe('pool_full 507');
      expect(codeOf(await call('POST', `${path}/append`, { body }))).toBe('pool_full 507');
    }
    expect(footprint(pool)).toEqual(before);
    expect((await call('GET', path)).body.equals(Buffer.alloc(2 ** 20))).toBe(true);
  });

  it('answers 413 to what no pool of its size could hold', async () => {
    const { call, pool } = await serve({ pool: { capacityBytes: 8 * 2 ** 20 } });
    const before = footprint(pool);
    const body = Buffer.alloc(pool.stats().maxPartBytes + 1);
    expect(codeOf(await call('PUT', path, { body }))).toBe('value_too_large 413');
    // Of unknown length it grows until either bound is met: old and new memory must fit together.
    expect((await call('PUT', path, { body: [body] })).json()['code']).toMatch(
      /^(value_too_large|pool_full)$/,
    );
    expect(footprint(pool)).toEqual(before);
  });
});
