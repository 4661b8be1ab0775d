import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from 'vitest';

import { crc32 } from '../../src/base/checksum.ts';
import type { Pool } from '../../src/pool/api.ts';
import { codeOf, RawClient, testKey } from './support/client.ts';
import { footprint, serve, temporaryFolder, type TestServer } from './support/serve.ts';
import { until } from '../support/until.ts';

const path = '/v1/contexts/c/parts/p';
const mib = 2 ** 20;
const auth = { authorization: `Bearer ${testKey}` };

function open(
  { url }: TestServer,
  method: string,
  headers: Record<string, string | number>,
): ClientRequest {
  const { hostname: host, port } = new URL(url);
  const req = request({ host, port, method, path, agent: false, headers: { ...auth, ...headers } });
  req.on('error', () => {});
  return req;
}

/** `count` chunks that differ: windows of one buffer. */
function* chunks(
  count: number,
  sizeBytes: number,
  seen: (chunk: Buffer) => void,
): Generator<Buffer> {
  const all = Buffer.alloc(sizeBytes + 64 * count);
  for (let i = 0; i < all.length; i += 4) all.writeInt32LE(Math.imul(i, 0x9e3779b1), i);
  for (let i = 0; i < count; i++) {
    const chunk = all.subarray(64 * i, 64 * i + sizeBytes);
    seen(chunk);
    yield chunk;
  }
}

/** Growth is to be told from garbage that waits for its collection. */
const collectGarbage = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

async function answerOf(req: ClientRequest): Promise<IncomingMessage> {
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return res;
}

describe.each(['shared', 'mapped'])('64 MiB through a %s pool', (place) => {
  it('passes without being gathered in this process', async () => {
    const where = place === 'mapped' ? { path: await temporaryFolder() } : {};
    const target = await serve({
      pool: { capacityBytes: 512 * mib, segmentBytes: 128 * mib, ...where },
    });
    const sizeBytes = 64 * mib;
    const chunkBytes = 64 * 1024;
    let peakBytes = 0;
    let nextSample = Infinity;
    const sample = (movedBytes: number): void => {
      if (movedBytes < nextSample) return;
      nextSample = movedBytes + 4 * mib;
      collectGarbage();
      peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
    };

    const transfer = async (): Promise<void> => {
      const put = open(target, 'PUT', { 'content-length': sizeBytes });
      const stored = answerOf(put);
      let sent = 0;
      let sentBytes = 0;
      const source = chunks(sizeBytes / chunkBytes, chunkBytes, (chunk) => {
        sent = crc32(chunk, sent);
        sample((sentBytes += chunk.length));
      });
      await pipeline(Readable.from(source), put);
      const res = await stored;
      expect(res.statusCode).toBeLessThan(300);
      res.resume();
      let received = 0;
      let receivedBytes = 0;
      if (peakBytes > 0) nextSample = 0;
      for await (const piece of await answerOf(open(target, 'GET', {}).end())) {
        received = crc32(piece as Buffer, received);
        sample((receivedBytes += (piece as Buffer).length));
      }
      expect(receivedBytes).toBe(sizeBytes);
      expect(received).toBe(sent);
    };

    // The first rounds touch the memory of the pool: of the part that is replaced, and of the one
    // that replaces it.
    for (let round = 0; round < 3; round++) await transfer();
    collectGarbage();
    const before = process.memoryUsage.rss();
    peakBytes = before;
    nextSample = 0;
    await transfer();
    console.log(
      `${place}: ${((peakBytes - before) / mib).toFixed(1)} MiB more at the peak of 64 MiB`,
    );
    expect(peakBytes - before).toBeLessThan(sizeBytes / 2);
    expect(target.pool.stats().retiredParts).toBe(0);
  });
});

describe('an upload that stops midway', () => {
  const full = 3 * mib;

  async function startUpload(
    target: TestServer,
    headers: Record<string, string | number>,
  ): Promise<ClientRequest> {
    const before = target.pool.stats().memory.liveBytes;
    const req = open(target, 'PUT', headers);
    req.write(Buffer.alloc(mib, 1));
    await until(() => target.pool.stats().memory.liveBytes >= before + mib);
    return req;
  }

  function expectNothingChanged(pool: Pool, before: Record<string, number>): void {
    expect(footprint(pool)).toEqual(before);
    const lease = pool.get('c', 'p');
    expect(lease?.text()).toBe('as it was');
    lease?.release();
  }

  it.each([
    ['announced', { 'content-length': full }],
    ['chunked', { 'transfer-encoding': 'chunked' }],
  ])('changes nothing and gives its memory back (%s)', async (_, headers) => {
    const target = await serve();
    const { pool } = target;
    pool.put('c', 'p', 'as it was');
    const before = footprint(pool);
    for (let round = 0; round < 3; round++) {
      const req = await startUpload(target, headers);
      req.destroy();
      await until(() => pool.stats().memory.liveBytes === before['liveBytes']);
      expectNothingChanged(pool, before);
    }
    expect(target.errors).toEqual([]);
    await until(() => connectionsOf(target) === 0);
    expect((await target.call('GET', '/v1/stats')).json()['http']).toMatchObject({
      inFlightBytes: 0,
    });
  });

  it('is invisible until its last byte', async () => {
    const target = await serve();
    target.pool.put('c', 'p', 'as it was');
    const req = await startUpload(target, { 'content-length': full });
    expect((await target.call('GET', path)).body.toString()).toBe('as it was');
    req.end(Buffer.alloc(2 * mib, 1));
    expect((await answerOf(req)).statusCode).toBe(200);
    expect((await target.call('GET', path)).body.equals(Buffer.alloc(full, 1))).toBe(true);
    req.destroy();
  });

  it('is refused when it pauses for too long', async () => {
    const target = await serve({ limits: { idleTimeoutMs: 50, lingerMs: 10 } });
    const before = footprint(target.pool);
    const client = await RawClient.to(target.url);
    client.send(`PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${auth.authorization}\r\n`);
    client.send('Content-Length: 10\r\n\r\nhalf…');
    expect(await client.receiveAll()).toMatch(/^HTTP\/1.1 408 .*request_timeout/s);
    expect(footprint(target.pool)).toEqual(before);
  });

  it('is refused when it takes too long as a whole', async () => {
    const target = await serve({
      limits: { requestTimeoutMs: 50, timeoutCheckMs: 10, lingerMs: 10 },
    });
    const before = footprint(target.pool);
    const client = await RawClient.to(target.url);
    client.send(`PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${auth.authorization}\r\n`);
    client.send('Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    expect(await client.receiveAll()).toMatch(/^HTTP\/1.1 408 .*request_timeout/s);
    expect(footprint(target.pool)).toEqual(before);
  });
});

describe('bodies being received', () => {
  it.each([
    ['announced', { 'content-length': mib }],
    ['chunked', { 'transfer-encoding': 'chunked' }],
  ])('are bounded together (%s)', async (_, headers) => {
    const limits = { maxBodyBytes: 2 * mib, maxInFlightBytes: 2 * mib, lingerMs: 10 };
    const target = await serve({ limits });
    const first = open(target, 'PUT', { 'content-length': 2 * mib });
    first.write('x');
    await until(() => target.pool.stats().memory.liveBytes > 2 * mib);
    const second = open(target, 'PUT', headers);
    second.write(Buffer.alloc(1000));
    const res = await answerOf(second);
    expect(res.statusCode).toBe(503);
    expect(res.headers['retry-after']).toBe('1');
    expect(Buffer.concat(await res.toArray()).toString()).toContain('"overloaded"');
    second.destroy();
    first.destroy();
    await until(() => connectionsOf(target) === 0);
    expect((await target.call('PUT', path, { body: Buffer.alloc(2 * mib) })).status).toBe(201);
  });
});

describe('a slow reader', () => {
  const sizeBytes = 24 * mib;

  async function startReading(target: TestServer): Promise<RawClient> {
    const client = await RawClient.to(target.url);
    client.socket.pause();
    client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${auth.authorization}\r\n`);
    client.send('Connection: close\r\n\r\n');
    return client;
  }

  it.each(['shared', 'mapped'])(
    'gets the old bytes whole while they are replaced (%s)',
    async (place) => {
      const where = place === 'mapped' ? { path: await temporaryFolder() } : {};
      const target = await serve({
        pool: { capacityBytes: 128 * mib, segmentBytes: 64 * mib, ...where },
      });
      const { pool } = target;
      const old = Buffer.alloc(sizeBytes, 'the old bytes, ');
      pool.put('c', 'p', old);
      const client = await startReading(target);
      await until(() => pool.stats().operations.gets === 1);
      expect(
        (await target.call('PUT', path, { body: Buffer.alloc(sizeBytes, 'new') })).status,
      ).toBe(200);
      pool.put('c', 'more', Buffer.alloc(sizeBytes, 'and another'));
      expect(pool.stats().retiredParts).toBe(1);
      client.socket.resume();
      const received = Buffer.from(await client.receiveAll(), 'latin1');
      const body = received.subarray(received.indexOf('\r\n\r\n') + 4);
      expect(body.equals(old)).toBe(true);
      await until(() => pool.stats().retiredParts === 0);
      expect((await target.call('GET', path)).body.equals(Buffer.alloc(sizeBytes, 'new'))).toBe(
        true,
      );
    },
  );

  it.each(['leaves', 'stalls'])('holds no lease once it %s', async (how) => {
    const target = await serve({ limits: how === 'stalls' ? { idleTimeoutMs: 50 } : {} });
    const { pool } = target;
    pool.put('c', 'p', Buffer.alloc(sizeBytes, 'x'));
    const client = await startReading(target);
    await until(() => pool.stats().operations.gets === 1);
    pool.delete('c', 'p');
    expect(pool.stats().retiredParts).toBe(1);
    if (how === 'leaves') await client.destroy();
    await until(() => pool.stats().retiredParts === 0);
    await client.destroy();
    expect(target.errors).toEqual([]);
  });
});

it('answers pipelined requests one after the other', async () => {
  const target = await serve({ pool: { capacityBytes: 64 * mib } });
  const client = await RawClient.to(target.url);
  const head = `Host: x\r\nAuthorization: ${auth.authorization}\r\n`;
  const put = (text: string): string =>
    `PUT ${path} HTTP/1.1\r\n${head}Content-Length: ${text.length}\r\n\r\n${text}`;
  const get = `GET ${path} HTTP/1.1\r\n${head}\r\n`;
  client.send(put('one') + get + put('three') + get + get + put('') + get);
  const seen = await client.receive(/(HTTP\/1.1 [\s\S]*){7}\r\n\r\n$/);
  const answers = seen.split(/(?=HTTP\/1\.1 )/).map((text) => {
    const status = text.slice(9, 12);
    return status === '201' || text.includes('sizeBytes')
      ? status
      : text.slice(text.indexOf('\r\n\r\n') + 4);
  });
  expect(answers).toEqual(['201', 'one', '200', 'three', 'three', '200', '']);
  await client.destroy();
});

it('sees a full pool in the midst of a body', async () => {
  const target = await serve({ pool: { capacityBytes: 8 * mib } });
  const { pool } = target;
  pool.put('c', 'keep', Buffer.alloc(2 * mib), { pinned: true });
  const before = footprint(pool);
  const put = open(target, 'PUT', { 'transfer-encoding': 'chunked' });
  const res = answerOf(put);
  await pipeline(Readable.from(chunks(100, 64 * 1024, () => {})), put).catch(() => {});
  const answer = await res;
  expect(answer.statusCode).toBe(507);
  expect(Buffer.concat(await answer.toArray()).toString()).toContain('"pool_full"');
  put.destroy();
  expect(footprint(pool)).toEqual(before);
  expect(codeOf(await target.call('GET', path))).toBe('not_found 404');
});

function connectionsOf({ server }: TestServer): number {
  return server.stats().connections;
}
