/** Over RESP, parts that are on the disk only are found as if they were in memory; connections go on in step, however their bytes are cut. */

import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { CenoteError } from '../../../src/errors.ts';
import { evictAll } from '../../tier/support/pools.ts';
import { temporaryFolder } from '../support/serve.ts';
import { encode, plain, type Word } from './support/client.ts';
import { pattern, serveResp, type RespTestServer } from './support/serve.ts';

async function serveDisk(): Promise<RespTestServer> {
  const path = join(await temporaryFolder(), 'pool');
  const tiers = { disk: { reserveBytes: 0 } };
  return serveResp({}, { pool: { path, capacityBytes: 16 * 2 ** 20, tiers } });
}

/** Strings s0…s9 and hashes h0…h9 on the disk only. */
async function withCold(): Promise<RespTestServer> {
  const server = await serveDisk();
  const { pool } = server;
  for (let i = 0; i < 10; i++) {
    pool.put(`s${i}`, 'value', Buffer.from(`string ${i}`));
    pool.put(`h${i}`, 'a', Buffer.from(`field a of ${i}`));
    pool.put(`h${i}`, 'b', Buffer.from(`field b of ${i}`));
    await Promise.all([pool.persist(`s${i}`), pool.persist(`h${i}`)]);
  }
  evictAll(pool);
  expect(pool.contextCount).toBe(0);
  return server;
}

const lines: readonly (readonly [string, unknown])[] = [
  ['GET s0', '"string 0"'],
  ['GET nothing', null],
  ['STRLEN s1', 8],
  ['GETRANGE s2 0 2', '"str"'],
  ['APPEND s3 !', 9],
  ['GET s3', '"string 3!"'],
  ['MGET s4 nothing s5', ['"string 4"', null, '"string 5"']],
  ['EXISTS s6 h6 nothing', 2],
  ['TYPE s6', 'string'],
  ['TYPE h6', 'hash'],
  ['SET s7 new NX', null],
  ['SET s7 new GET', '"string 7"'],
  ['SET s8 new', 'OK'],
  ['GET s8', '"new"'],
  ['DEL s9 nothing', 1],
  ['GET s9', null],
  ['HGET h0 a', '"field a of 0"'],
  ['HLEN h1', 2],
  ['HMGET h2 a c b', ['"field a of 2"', null, '"field b of 2"']],
  ['HEXISTS h3 b', 1],
  ['HSET h4 a other c new', 1],
  ['HDEL h5 a', 1],
  ['HLEN h5', 1],
  ['EXPIRE h7 100', 1],
  ['DEL h8', 1],
  ['HLEN h8', 0],
];

/** Above what is gathered: on its way into the pool before the command is known whole. */
const large = pattern(20_000);

describe('a large value for the place of one on the disk', () => {
  it.each([
    [['NX'], null, 'string 0'],
    [['XX'], 'OK', large],
    [['GET'], '"string 0"', large],
    [['NX', 'GET'], '"string 0"', 'string 0'],
  ] as const)('is set with %j by what is there', async (options, reply, value) => {
    const server = await withCold();
    const client = await server.connect();
    expect(plain(await client.call('SET', 's0', large, ...options))).toEqual(reply);
    expect((await client.call('GET', 's0')) as Buffer).toEqual(Buffer.from(value));
    expect(server.errors).toEqual([]);
  });

  it('is set by SETNX where there is none', async () => {
    const server = await withCold();
    const client = await server.connect();
    expect(await client.call('SETNX', 's0', large)).toBe(0);
    expect(await client.call('SETNX', 'nothing', large)).toBe(1);
    expect(plain(await client.call('GET', 's0'))).toBe('"string 0"');
  });

  it('keeps its time with KEEPTTL, and as a field of a hash that is not new', async () => {
    const server = await serveDisk();
    const { pool } = server;
    pool.put('s', 'value', 'old', { ttlMs: 1_000_000 });
    pool.put('h', 'a', 'old', { ttlMs: 1_000_000 });
    await Promise.all([pool.persist('s'), pool.persist('h')]);
    evictAll(pool);
    const client = await server.connect();
    expect(await client.call('SET', 's', large, 'KEEPTTL')).toBe('OK');
    expect(await client.call('HSET', 'h', 'a', large, 'b', 'new')).toBe(1);
    expect(await client.call('TTL', 's')).toBeGreaterThan(900);
    expect(pool.describe('h', 'a')?.expiresAtMs).toBeDefined();
    expect(pool.describe('h', 'b')?.expiresAtMs).toBeUndefined();
    expect(server.errors).toEqual([]);
  });

  it.each([999, 100_000])('waits for it in its place, in pieces of %i bytes', async (size) => {
    const server = await withCold();
    const client = await server.connect();
    const all = Buffer.concat([
      encode('SET', 's0', large, 'NX'),
      encode('GET', 's0'),
      encode('SET', 's1', large, 'XX', 'GET'),
      encode('HSET', 'h0', 'a', large, 'b', large, 'c', large),
      encode('HLEN', 'h0'),
      encode('PING'),
    ]);
    for (let at = 0; at < all.length; at += size) client.send(all.subarray(at, at + size));
    const replies = (await client.replies(6)).map(plain);
    expect(replies).toEqual([null, '"string 0"', '"string 1"', 1, 3, 'PONG']);
    expect(server.errors).toEqual([]);
  });

  it.each([large, Buffer.from('small')])(
    'is not absent where memory has no room for it',
    async (bytes) => {
      const server = await withCold();
      const client = await server.connect();
      await client.call('PING');
      // As it is where a copy is all that can be had.
      vi.spyOn(server.pool, 'load').mockResolvedValue(undefined);
      expect(await client.call('SET', 's0', bytes, 'NX')).toBeNull();
      expect(await client.call('SETNX', 's0', bytes)).toBe(0);
      for (const options of [['XX'], ['GET'], ['NX', 'GET'], ['KEEPTTL']]) {
        const reply = await client.call('SET', 's0', bytes, ...options);
        expect(reply, String(options)).toMatchObject({ code: 'part_on_disk' });
      }
      vi.restoreAllMocks();
      expect(plain(await client.call('GET', 's0'))).toBe('"string 0"');
      expect(server.errors).toEqual([]);
    },
  );

  it('is no key', async () => {
    const server = await withCold();
    const client = await server.connect();
    expect(await client.call('PING')).toBe('PONG');
    expect(await client.call('SET', large, 'x', 'NX')).toMatchObject({ code: 'value_too_large' });
    expect(await client.call('PING')).toBe('PONG');
  });
});

describe('parts on the disk', () => {
  it('are found, one command after the other', async () => {
    const server = await withCold();
    const client = await server.connect();
    for (const [command, reply] of lines) {
      expect(plain(await client.call(...(command.split(' ') as Word[]))), command).toEqual(reply);
    }
    expect(server.errors).toEqual([]);
  });

  it.each([1, 7, 100, 10_000])('are found in one stream, in pieces of %i bytes', async (size) => {
    const server = await withCold();
    const client = await server.connect();
    const all = Buffer.concat(lines.map(([command]) => encode(...(command.split(' ') as Word[]))));
    for (let at = 0; at < all.length; at += size) client.send(all.subarray(at, at + size));
    const replies = (await client.replies(lines.length)).map(plain);
    for (const [i, [command, reply]] of lines.entries()) {
      expect(replies[i], command).toEqual(reply);
    }
    expect(server.errors).toEqual([]);
  });

  it('are told of to the command that asks for them only, when they cannot be read', async () => {
    const server = await withCold();
    server.pool.put('hot', 'value', Buffer.from('here'));
    const client = await server.connect();
    await client.call('PING');
    const load = vi.spyOn(server.pool, 'load');
    load.mockRejectedValue(new CenoteError('part_corrupt', 'damaged'));
    expect(plain(await client.call('GET', 's0'))).toBe('-ERR part_corrupt');
    expect(plain(await client.call('GET', 's0', 'one too many'))).toMatch(/^-ERR (?!part_corrupt)/);
    expect(plain(await client.call('GET', 'hot'))).toBe('"here"');
    vi.restoreAllMocks();
    expect(plain(await client.call('GET', 's0'))).toBe('"string 0"');
  });

  it('wait for one another on their own connection only', async () => {
    const server = await withCold();
    const [one, other] = [await server.connect(), await server.connect()];
    const longer = pattern(300_000);
    one.send(
      Buffer.concat([encode('GET', 's0'), encode('SET', 'large', longer), encode('GET', 'large')]),
    );
    expect(await other.call('PING')).toBe('PONG');
    const replies = await one.replies(3);
    expect(plain(replies[0] as Buffer)).toBe('"string 0"');
    expect((replies[2] as Buffer).equals(longer)).toBe(true);
  });
});

describe('parts on the disk that memory has no room for', () => {
  /** Two values of 6 MiB on the disk, and all memory but 8 MiB pinned. */
  async function withoutRoom(): Promise<RespTestServer> {
    const server = await serveDisk();
    const { pool } = server;
    for (const id of ['one', 'two']) {
      pool.put(id, 'value', new Uint8Array(6 * 2 ** 20));
      await pool.persist(id);
    }
    evictAll(pool);
    pool.put('pinned', 'p', new Uint8Array(5 * 2 ** 20), { pinned: true });
    return server;
  }

  it('are told of, where MGET would find them absent', async () => {
    const server = await withoutRoom();
    const client = await server.connect();
    await client.call('PING');
    expect(plain(await client.call('MGET', 'one', 'two'))).toBe('-OOM pool_full');
    expect(await client.call('STRLEN', 'two')).toBe(6 * 2 ** 20);
    expect(server.errors).toEqual([]);
  });

  it('are needed for what a command asks of them only', async () => {
    const server = await serveDisk();
    const { pool } = server;
    for (const field of ['one', 'two', 'three', 'four']) {
      pool.put('h', field, new Uint8Array(5 * 2 ** 20));
      await pool.persist('h');
    }
    evictAll(pool);
    const client = await server.connect();
    await client.call('PING');
    const load = vi.spyOn(pool, 'load');
    for (const [reply, ...command] of [
      [1, 'EXISTS', 'h', 'nothing'],
      [1, 'HEXISTS', 'h', 'two'],
      [1, 'HDEL', 'h', 'one', 'nothing'],
      [1, 'HSET', 'h', 'new', 'x'],
      ['"x"', 'HGET', 'h', 'new'],
      [null, 'HGET', 'h', 'one'],
    ] as const) {
      expect(plain(await client.call(...command)), command.join(' ')).toBe(reply);
    }
    expect(load).not.toHaveBeenCalled();
    expect(plain(await client.call('HSET', 'h', 'four', 'y', 'new', 'z'))).toBe(0);
    expect(plain(await client.call('HMGET', 'h', 'four', 'new'))).toEqual(['"y"', '"z"']);
    expect(load).toHaveBeenCalledExactlyOnceWith('h', 'four');
    // What looks at all of them is refused, or would leave out what is on the disk.
    pool.put('pinned', 'p', new Uint8Array(5 * 2 ** 20), { pinned: true });
    for (const name of ['HLEN', 'HKEYS', 'HGETALL']) {
      expect(plain(await client.call(name, 'h')), name).toBe('-OOM pool_full');
    }
  });

  it('are told of one by one, too', async () => {
    const server = await withoutRoom();
    server.pool.put('pinned', 'q', new Uint8Array(5 * 2 ** 20), { pinned: true });
    const client = await server.connect();
    await client.call('PING');
    expect(plain(await client.call('GET', 'one'))).toBe('-OOM pool_full');
    expect(plain(await client.call('APPEND', 'one', '!'))).toBe('-ERR part_on_disk');
    expect(server.pool.where('one', 'value')).toBe('disk');
  });
});
