/** Values over RESP: large and small, whole or not at all. */

import { describe, expect, it } from 'vitest';

import { ErrorReply, encode, plain, type Word } from './support/client.ts';
import { pattern, serveResp } from './support/serve.ts';

describe('values', () => {
  it.each(['mapped', 'shared'])('of any size come back as they were: %s pool', async (kind) => {
    const { temporaryFolder } = await import('../support/serve.ts');
    const path = kind === 'mapped' ? { path: await temporaryFolder() } : {};
    const server = await serveResp({}, { pool: { capacityBytes: 256 * 2 ** 20, ...path } });
    const client = await server.connect();
    const sizes = [0, 1, 16_383, 16_384, 16_385, 65_536, 1_000_000, 4 * 2 ** 20, 20 * 2 ** 20];
    for (const sizeBytes of sizes) {
      const value = pattern(sizeBytes, sizeBytes);
      expect(await client.call('SET', `k${sizeBytes}`, value)).toBe('OK');
      expect(await client.call('STRLEN', `k${sizeBytes}`)).toBe(sizeBytes);
    }
    client.send(Buffer.concat(sizes.map((sizeBytes) => encode('GET', `k${sizeBytes}`))));
    for (const sizeBytes of sizes) {
      const reply = (await client.reply()) as Buffer;
      expect(reply.equals(pattern(sizeBytes, sizeBytes)), `${sizeBytes} bytes`).toBe(true);
    }
    const part = (await client.call('GETRANGE', 'k1000000', 1000, 99_999)) as Buffer;
    expect(part.equals(pattern(1_000_000, 1_000_000).subarray(1000, 100_000))).toBe(true);
    expect(server.pool.check()).toMatchObject({ ok: true });
    expect(server.server.respStats()).toMatchObject({ inFlightBytes: 0, waitingBytes: 0 });
  });

  it('go with options behind them, and many in one command', async () => {
    const server = await serveResp();
    const client = await server.connect();
    const large = pattern(100_000);
    expect(await client.call('SET', 'k', large, 'EX', 100)).toBe('OK');
    expect(await client.call('TTL', 'k')).toBe(100);
    expect(await client.call('SET', 'k', pattern(50_000), 'NX')).toBeNull();
    expect(await client.call('STRLEN', 'k')).toBe(100_000);
    expect(await client.call('SET', 'k', pattern(60_000), 'XX', 'KEEPTTL')).toBe('OK');
    expect(await client.call('TTL', 'k')).toBe(100);
    const old = (await client.call('SET', 'k', large, 'GET')) as Buffer;
    expect(old.equals(pattern(60_000))).toBe(true);
    expect(await client.call('MSET', 'a', large, 'b', 'small', 'c', large)).toBe('OK');
    const [a, b, c] = (await client.call('MGET', 'a', 'b', 'c')) as Buffer[];
    expect([a?.equals(large), b?.toString(), c?.equals(large)]).toEqual([true, 'small', true]);
    expect(await client.call('HSET', 'h', 'x', large, 'y', 'small', 'z', large)).toBe(3);
    const all = (await client.call('HGETALL', 'h')) as Buffer[];
    expect(all.map((item) => item.length)).toEqual([1, 100_000, 1, 5, 1, 100_000]);
    expect(await client.call('APPEND', 'a', large)).toBe(200_000);
    expect(await client.call('ECHO', large)).toEqual(large);
    expect(await client.call('SETNX', 'a', large)).toBe(0);
    expect(await client.call('SETEX', 'd', 10, large)).toBe('OK');
    expect(server.pool.check()).toMatchObject({ ok: true });
    expect(server.server.respStats()).toMatchObject({ inFlightBytes: 0, waitingBytes: 0 });
  });

  it('are dropped where they do not fit, and the connection stays in step', async () => {
    const server = await serveResp({}, { pool: { capacityBytes: 4 * 2 ** 20 } });
    const client = await server.connect();
    await client.call('HELLO', 2);
    for (const words of [
      ['SET', 'k', pattern(8 * 2 ** 20)],
      ['SET', 'k'.repeat(600), pattern(100_000)],
      ['GET', pattern(100_000)],
      [pattern(100_000)],
      ['MSET', 'a', pattern(50_000), 'b', pattern(8 * 2 ** 20)],
      ['SET', 'k', pattern(50_000), 'EX', 'soon'],
    ]) {
      expect(await client.call(...(words as Word[]))).toBeInstanceOf(ErrorReply);
      expect(await client.call('PING')).toBe('PONG');
    }
    expect(server.pool.stats().parts).toBe(0);
    expect(server.server.respStats()?.inFlightBytes).toBe(0);
  });

  it('of one command are stored all or none', async () => {
    const server = await serveResp({}, { pool: { capacityBytes: 4 * 2 ** 20 } });
    const client = await server.connect();
    await client.call('HELLO', 2);
    const long = 'x'.repeat(600);
    for (const words of [
      ['MSET', 'a', '1', 'b', '2', long, '3'],
      ['HSET', 'h', 'a', '1', long, '2'],
      ['MSET', 'a', pattern(20_000), 'b', '2', long, '3'],
      ['HSET', 'h', 'a', '1', 'b', pattern(8 * 2 ** 20)],
    ]) {
      expect(await client.call(...(words as Word[]))).toBeInstanceOf(ErrorReply);
      expect(await client.call('DBSIZE')).toBe(0);
    }
    expect(server.pool.check()).toMatchObject({ ok: true, errors: [] });
  });

  it('of other element types are bytes to RESP', async () => {
    const { connect, pool } = await serveResp();
    pool.put('c', 'value', Uint32Array.of(1, 2));
    const client = await connect();
    expect(await client.call('GET', 'c')).toEqual(Buffer.from([1, 0, 0, 0, 2, 0, 0, 0]));
    await client.call('CLIENT', 'ID');
    expect(plain(await client.call('APPEND', 'c', 'x'))).toBe('-WRONGTYPE element_type_mismatch');
  });

  it('are kept under any key', async () => {
    const { connect, pool } = await serveResp();
    const client = await connect();
    const keys = [Buffer.from([0xff, 0, 13, 10]), Buffer.from('schön'), Buffer.alloc(255, 0x80)];
    for (const key of keys) await client.call('SET', key, key);
    for (const key of keys) expect(await client.call('GET', key)).toEqual(key);
    const [, found] = (await client.call('SCAN', 0)) as [Buffer, Buffer[]];
    expect(found.map((key) => key.toString('hex')).sort()).toEqual(
      keys.map((key) => key.toString('hex')).sort(),
    );
    expect(pool.get('schön', 'value')?.data).toEqual(new Uint8Array(Buffer.from('schön')));
  });
});
