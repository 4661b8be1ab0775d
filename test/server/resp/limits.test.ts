import { describe, expect, it } from 'vitest';

import { defaultRespLimits, resolveRespLimits } from '../../../src/server/resp/limits.ts';
import { Keyring } from '../../../src/server/index.ts';
import { testKey } from '../support/client.ts';
import { until } from '../../support/until.ts';
import { encode, ErrorReply, RespClient } from './support/client.ts';
import { pattern, serveResp } from './support/serve.ts';

const mib = 2 ** 20;
const secured = { auth: Keyring.of(testKey) };

function errorOf(reply: unknown): string {
  expect(reply).toBeInstanceOf(ErrorReply);
  const { word, code } = reply as ErrorReply;
  return `${word} ${code}`;
}

describe('limits', () => {
  it('are checked when the server is made', () => {
    expect(resolveRespLimits()).toEqual(defaultRespLimits);
    expect(() => resolveRespLimits({ maxArguments: 0 })).toThrow(/maxArguments/);
    expect(() => resolveRespLimits({ readBytes: 8 })).toThrow(/readBytes/);
    expect(() => resolveRespLimits({ nothing: 1 } as object)).toThrow(/nothing/);
  });

  it.each([
    ['arguments', '*5\r\n', { maxArguments: 4 }],
    ['a bulk', '*2\r\n$3\r\nGET\r\n$1001\r\n', { maxBulkBytes: 1000 }],
    ['a line', 'x'.repeat(200), { maxInlineBytes: 100 }],
    [
      'what is gathered',
      encode('MGET', ...Array.from({ length: 50 }, () => 'x'.repeat(50))).subarray(0, 2000),
      { maxCommandBytes: 1000 },
    ],
    ['nesting', '*1\r\n*1\r\n$1\r\nx\r\n', {}],
  ])('of %s end the connection, with a reason', async (_, bytes, limits) => {
    const server = await serveResp(limits);
    const client = await server.connect();
    client.send('PING\r\n');
    client.send(bytes);
    expect(await client.rest()).toMatch(/^\+PONG\r\n-ERR Protocol error: .*\(\w+\)\r\n$/);
    expect(server.server.respStats()?.closed.protocol).toBe(1);
  });

  it('of values being received refuse those beyond, and keep in step', async () => {
    const server = await serveResp({ maxInFlightBytes: mib });
    const [first, second] = [await server.connect(), await server.connect()];
    await second.call('HELLO', 2);
    const value = pattern(700_000);
    const bytes = encode('SET', 'k', value);
    first.send(bytes.subarray(0, 300_000));
    await until(() => server.server.respStats()?.inFlightBytes === 700_000);
    expect(errorOf(await second.call('SET', 'l', value))).toBe('LOADING overloaded');
    first.send(bytes.subarray(300_000));
    expect(await first.reply()).toBe('OK');
    expect(await second.call('SET', 'l', value)).toBe('OK');
    expect(server.server.respStats()?.inFlightBytes).toBe(0);
  });

  it('of a reply refuse it whole', async () => {
    const { connect } = await serveResp({ maxReplyBytes: 100_000 });
    const client = await connect();
    await client.call('HELLO', 2);
    await client.call('MSET', 'a', pattern(60_000), 'b', pattern(60_000));
    expect(errorOf(await client.call('MGET', 'a', 'b'))).toBe('ERR value_too_large');
    expect(((await client.call('GET', 'a')) as Buffer).length).toBe(60_000);
    await client.call('HSET', 'h', 'a', pattern(60_000), 'b', pattern(60_000));
    expect(errorOf(await client.call('HGETALL', 'h'))).toBe('ERR value_too_large');
  });

  it('of connections turn away the next', async () => {
    const server = await serveResp({ maxConnections: 2 });
    const clients = [await server.connect(), await server.connect()];
    for (const client of clients) expect(await client.call('PING')).toBe('PONG');
    const third = await server.connect();
    expect(await third.rest()).toMatch(/^-ERR max number of clients/);
    clients[0]?.socket.destroy();
    await until(() => server.server.respStats()?.connections === 1);
    expect(await (await server.connect()).call('PING')).toBe('PONG');
    expect(server.server.respStats()?.closed.too_many).toBe(1);
  });
});

describe('before authentication', () => {
  it('little is read', async () => {
    const server = await serveResp({ authBytes: 1000 }, secured);
    const client = await server.connect();
    for (let i = 0; i < 8; i++) {
      expect(errorOf(await client.call('CONFIG', 'GET', 'x'.repeat(80)))).toBe(
        'NOAUTH unauthorized',
      );
    }
    client.send(encode('CONFIG', 'GET', 'x'.repeat(400)));
    expect(await client.rest()).toMatch(/1000 bytes before authentication/);
  });

  it('no large value is', async () => {
    const client = await (await serveResp({}, secured)).connect();
    client.send('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n');
    expect(await client.rest()).toMatch(/^-NOAUTH Protocol error: unauthenticated bulk length/);
  });

  it('time is short', async () => {
    const server = await serveResp({ authTimeoutMs: 20, sweepMs: 5 }, secured);
    const silent = await server.connect();
    expect(await silent.rest()).toMatch(/^-NOAUTH no authentication within 20 ms/);
    expect(server.server.respStats()?.closed.auth_timeout).toBe(1);
  });

  it('time is not counted once somebody has', async () => {
    const server = await serveResp({ authTimeoutMs: 200, sweepMs: 5 }, secured);
    const client = await server.connect();
    expect(await client.call('AUTH', testKey)).toBe('OK');
    const silent = await server.connect();
    await silent.rest();
    expect(await client.call('PING')).toBe('PONG');
  });

  it('a key is needed, the right one, under any of its names', async () => {
    const server = await serveResp({}, secured);
    const client = await server.connect();
    for (const words of [['GET', 'k'], ['PING'], ['CLIENT', 'ID'], ['INFO'], ['SCAN', 0]]) {
      const stranger = await server.connect();
      expect(errorOf(await stranger.call(...words))).toBe('NOAUTH unauthorized');
    }
    expect(errorOf(await client.call('HELLO', 3))).toBe('NOAUTH unauthorized');
    expect(errorOf(await client.call('HELLO', 3, 'AUTH', 'default', 'wrong'))).toBe(
      'WRONGPASS unauthorized',
    );
    const hello = await client.call('HELLO', 3, 'AUTH', 'default', testKey, 'SETNAME', 'me');
    expect((hello as Map<string, unknown>).get('proto')).toBe(3);
    expect(await client.call('CLIENT', 'GETNAME')).toEqual(Buffer.from('me'));
    expect(await client.call('RESET')).toBe('RESET');
    expect(errorOf(await client.call('GET', 'k'))).toBe('NOAUTH unauthorized');
    for (const words of [[testKey], ['default', testKey]]) {
      const other = await server.connect();
      expect(await other.call('AUTH', ...words)).toBe('OK');
      expect(await other.call('GET', 'k')).toBeNull();
    }
    for (const words of [['wrong'], ['other', testKey], ['', testKey], [''], ['x'.repeat(600)]]) {
      const other = await server.connect();
      expect(errorOf(await other.call('AUTH', ...words))).toBe('WRONGPASS unauthorized');
      expect(await other.rest()).toBe('');
    }
  });
});

describe('slow clients', () => {
  it('that stop within a command are closed, and leave nothing', async () => {
    const server = await serveResp({ stallTimeoutMs: 30, sweepMs: 5 });
    const small = await server.connect();
    small.send('*2\r\n$3\r\nGET\r\n$10\r\nab');
    const large = await server.connect();
    large.send(encode('SET', 'k', pattern(mib)).subarray(0, 600_000));
    expect(await small.rest()).toMatch(/^-ERR .*\(request_timeout\)\r\n$/);
    await large.rest();
    await until(() => server.server.respStats()?.connections === 0);
    expect(server.server.respStats()).toMatchObject({ inFlightBytes: 0 });
    expect(server.pool.stats()).toMatchObject({ parts: 0 });
    expect(server.pool.check()).toMatchObject({ ok: true, errors: [] });
  });

  it('that take nothing are not read from, then closed; their leases end', async () => {
    const server = await serveResp(
      { outputPauseBytes: mib, stallTimeoutMs: 200, sweepMs: 20 },
      { pool: { capacityBytes: 128 * mib } },
    );
    const value = pattern(16 * mib);
    server.pool.put('k', 'value', value);
    const reader = await server.connect();
    reader.socket.pause();
    for (let i = 0; i < 1000; i++) reader.send(encode('GET', 'k'));
    await until(() => (server.server.respStats()?.waitingBytes ?? 0) > mib);
    // Only what fits the bound was answered; the others wait with the client.
    expect(server.server.respStats()?.waitingBytes).toBeLessThan(40 * mib);
    server.pool.put('k', 'value', new Uint8Array(1));
    expect(server.pool.stats().retiredParts).toBe(1);
    await until(() => server.server.respStats()?.closed.slow_reader === 1);
    await until(() => server.server.respStats()?.connections === 0);
    expect(server.server.respStats()?.waitingBytes).toBe(0);
    server.pool.sweepExpired();
    expect(server.pool.stats().retiredParts).toBe(0);
  });

  it('that only pause get everything, in order', async () => {
    const server = await serveResp({ outputPauseBytes: 100_000 });
    const client = await server.connect();
    const values = Array.from({ length: 40 }, (_, i) => pattern(50_000 + i, i));
    for (const [i, value] of values.entries()) await client.call('SET', `k${i}`, value);
    client.socket.pause();
    for (let round = 0; round < 10; round++) {
      client.send(Buffer.concat(values.map((_, i) => encode('GET', `k${i}`))));
    }
    await until(() => (server.server.respStats()?.waitingBytes ?? 0) >= 100_000);
    client.socket.resume();
    for (let round = 0; round < 10; round++) {
      for (const value of values)
        expect(((await client.reply()) as Buffer).equals(value)).toBe(true);
    }
    await until(() => server.server.respStats()?.waitingBytes === 0);
  });

  it('are closed first where all output together is too much, while others are served', async () => {
    const server = await serveResp(
      { maxOutputBytes: 20 * mib, slowReaderMs: 20, sweepMs: 10 },
      { pool: { capacityBytes: 128 * mib } },
    );
    server.pool.put('k', 'value', pattern(16 * mib));
    const slow = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
    for (const client of slow) {
      client.socket.pause();
      client.send(encode('GET', 'k'));
    }
    await until(() => (server.server.respStats()?.closed.slow_reader ?? 0) >= 2);
    const quick = await server.connect();
    expect(((await quick.call('GET', 'k')) as Buffer).length).toBe(16 * mib);
    expect(server.server.respStats()?.waitingBytes).toBeLessThanOrEqual(20 * mib);
  });
});

describe('shutdown', () => {
  it('lets what has begun be answered, and ends idle connections', async () => {
    const { server, connect, pool } = await serveResp();
    const idle = await connect();
    await idle.call('PING');
    const busy = await connect();
    const bytes = encode('SET', 'k', pattern(mib));
    busy.send(bytes.subarray(0, 500_000));
    await until(() => server.respStats()?.inFlightBytes === mib);
    const closing = server.close({ deadlineMs: 30_000 });
    expect(await idle.rest()).toBe('');
    await expect(RespClient.to(server.respUrl as string)).rejects.toThrow(/ECONNREFUSED/);
    busy.send(bytes.subarray(500_000));
    expect(await busy.rest()).toBe('+OK\r\n');
    expect(await closing).toEqual({ cutConnections: 0 });
    expect(pool.describe('k', 'value')?.sizeBytes).toBe(mib);
  });

  it('sends replies that it has not written yet', async () => {
    const { server, connect, pool } = await serveResp();
    const clients = await Promise.all(Array.from({ length: 20 }, connect));
    for (const [i, client] of clients.entries()) client.send(encode('SET', `k${i}`, 'v'));
    await until(() => pool.contextCount > 0);
    const closing = server.close({ deadlineMs: 30_000 });
    let replies = 0;
    for (const client of clients) if ((await client.rest()) === '+OK\r\n') replies++;
    expect(replies).toBe(pool.contextCount);
    await closing;
  });

  it('cuts what is not done at the deadline', async () => {
    const { server, connect, pool } = await serveResp();
    const client = await connect();
    client.send(encode('SET', 'k', pattern(mib)).subarray(0, 500_000));
    await until(() => server.respStats()?.inFlightBytes === mib);
    expect(await server.close({ deadlineMs: 0 })).toEqual({ cutConnections: 1 });
    expect(server.respStats()).toMatchObject({ connections: 0, inFlightBytes: 0 });
    expect(pool.stats().parts).toBe(0);
  });
});
