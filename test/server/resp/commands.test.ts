import { describe, expect, it } from 'vitest';

import { ErrorReply, encode, type Reply, type Word } from './support/client.ts';
import { pattern, serveResp } from './support/serve.ts';

/** A reply as a test writes it: bulk strings as strings in quotes, errors as their first word and code. */
function plain(reply: Reply): unknown {
  if (reply instanceof ErrorReply) return `-${reply.word} ${reply.code}`;
  if (Buffer.isBuffer(reply)) return `"${reply.toString()}"`;
  if (reply instanceof Map) {
    return Object.fromEntries([...reply].map(([name, value]) => [name, plain(value)]));
  }
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

type Line = readonly [command: string, reply: unknown];

/** Words of a command, split at spaces. */
async function check(lines: readonly Line[], protocol = 2): Promise<void> {
  const server = await serveResp();
  const client = await server.connect();
  await client.call('HELLO', protocol);
  for (const [command, expected] of lines) {
    const reply = plain(await client.call(...(command.split(' ') as Word[])));
    if (expected instanceof RegExp) expect(reply, command).toMatch(expected);
    else expect(reply, command).toEqual(expected);
  }
  // The same in one piece, however they are cut: replies come in order, and are as many.
  const again = await server.connect();
  await again.call('HELLO', protocol);
  for (const { id } of server.pool.list()) server.pool.delete(id);
  again.send(Buffer.concat(lines.map(([command]) => encode(...(command.split(' ') as Word[])))));
  const replies = (await again.replies(lines.length)).map(plain);
  for (const [i, [command, expected]] of lines.entries()) {
    if (expected instanceof RegExp) expect(replies[i], command).toMatch(expected);
    else expect(replies[i], command).toEqual(expected);
  }
  expect(server.errors).toEqual([]);
}

describe('string commands', () => {
  it('set and get', () =>
    check([
      ['GET k', null],
      ['SET k v', 'OK'],
      ['get k', '"v"'],
      ['SET k w NX', null],
      ['SET k w XX', 'OK'],
      ['SET other w XX', null],
      ['SET k x GET', '"w"'],
      ['SET new x NX GET', null],
      ['SETNX k y', 0],
      ['SETNX l y', 1],
      ['MGET k none l', ['"x"', null, '"y"']],
      ['MSET a 1 b 2', 'OK'],
      ['MGET a b', ['"1"', '"2"']],
      ['STRLEN a', 1],
      ['STRLEN none', 0],
      ['APPEND a 23', 3],
      ['APPEND fresh xy', 2],
      ['GET a', '"123"'],
      ['GETRANGE a 0 -1', '"123"'],
      ['GETRANGE a -2 -1', '"23"'],
      ['GETRANGE a 1 1', '"2"'],
      ['GETRANGE a 2 1', '""'],
      ['GETRANGE a 5 9', '""'],
      ['GETRANGE a -9 0', '"1"'],
      ['GETRANGE none 0 -1', '""'],
      ['GETRANGE a -9 -9', '"1"'],
      ['GETRANGE a 0 -9', '"1"'],
      ['GETRANGE a -8 -9', '""'],
      ['GETRANGE a 01 2', '-ERR invalid_argument'],
      ['GETRANGE a 0 -0', '-ERR invalid_argument'],
      ['EXPIRE a 100 NX XX', '-ERR invalid_argument'],
      ['EXPIRE a 100 LT NX', '-ERR invalid_argument'],
      ['EXPIRE a 100 GT LT', '-ERR invalid_argument'],
    ]));

  it('refuse what is wrong, and change nothing', () =>
    check([
      ['SET k', '-ERR invalid_argument'],
      ['SET k v EX', '-ERR invalid_argument'],
      ['SET k v EX 0', '-ERR invalid_argument'],
      ['SET k v EX x', '-ERR invalid_argument'],
      ['SET k v EX 99999999999999999', '-ERR invalid_argument'],
      ['SET k v EX 1 PX 1', '-ERR invalid_argument'],
      ['SET k v NX XX', '-ERR invalid_argument'],
      ['SET k v EX 1 KEEPTTL', '-ERR invalid_argument'],
      ['SET k v WHAT', '-ERR invalid_argument'],
      ['SETEX k 0 v', '-ERR invalid_argument'],
      ['MSET a 1 b', '-ERR invalid_argument'],
      ['GETRANGE k a b', '-ERR invalid_argument'],
      ['NOSUCH', '-ERR invalid_argument'],
      [`SET ${'k'.repeat(513)} v`, '-ERR invalid_argument'],
      ['DBSIZE', 0],
    ]));

  it('expire', () =>
    check([
      ['SET k v EX 100', 'OK'],
      ['TTL k', 100],
      ['PTTL k', expect.any(Number)],
      ['SET k w KEEPTTL', 'OK'],
      ['TTL k', 100],
      ['SET k w', 'OK'],
      ['TTL k', -1],
      ['TTL none', -2],
      ['EXPIRETIME k', -1],
      ['PEXPIRE k 50000', 1],
      ['TTL k', 50],
      ['EXPIRE k 100 LT', 0],
      ['EXPIRE k 100 GT', 1],
      ['EXPIRE k 100 NX', 0],
      ['EXPIRE k 10 XX', 1],
      ['EXPIRE k 10 ZZ', '-ERR invalid_argument'],
      ['PERSIST k', 1],
      ['PERSIST k', 0],
      ['EXPIREAT k 99999999999', 1],
      ['EXPIRETIME k', 99_999_999_999],
      ['EXPIRE none 10', 0],
      ['EXPIRE k -1', 1],
      ['EXISTS k', 0],
      ['SETEX k 10 v', 'OK'],
      ['PSETEX l 10000 v', 'OK'],
      ['TTL k', 10],
      ['TTL l', 10],
      ['SET k v PXAT 1', 'OK'],
      ['APPEND l w', 2],
      ['TTL l', 10],
    ]));
});

describe('keys and hashes', () => {
  it('are contexts and their parts', () =>
    check([
      ['HSET h a 1 b 2', 2],
      ['HSET h a 3', 0],
      ['HSET twice a 1 a 2', 1],
      ['HGET twice a', '"2"'],
      ['DEL twice', 1],
      ['MSET x 1 x 2', 'OK'],
      ['GET x', '"2"'],
      ['DEL x', 1],
      ['HMSET h c 4 d 5', 'OK'],
      ['HGET h a', '"3"'],
      ['HGET h none', null],
      ['HGET none a', null],
      ['HMGET h a none d', ['"3"', null, '"5"']],
      ['HGETALL h', ['"a"', '"3"', '"b"', '"2"', '"c"', '"4"', '"d"', '"5"']],
      ['HGETALL none', []],
      ['HKEYS h', ['"a"', '"b"', '"c"', '"d"']],
      ['HLEN h', 4],
      ['HLEN none', 0],
      ['HEXISTS h a', 1],
      ['HEXISTS h none', 0],
      ['HDEL h a none', 1],
      ['TYPE h', 'hash'],
      ['SET s v', 'OK'],
      ['TYPE s', 'string'],
      ['TYPE none', 'none'],
      ['EXISTS h s none h', 3],
      ['DBSIZE', 2],
      ['HSET h a', '-ERR invalid_argument'],
      ['HSET h a 1 b', '-ERR invalid_argument'],
      ['EXPIRE h 100', 1],
      ['HSET h b 9', 0],
      ['TTL h', 100],
      ['HSET h e 1', 1],
      ['TTL h', -1],
      ['DEL h s none', 2],
      ['UNLINK h', 0],
      ['DBSIZE', 0],
    ]));

  it('shows a map and nulls of their own to who speaks RESP3', () =>
    check(
      [
        ['HSET h a 1 b 2', 2],
        ['HGETALL h', { a: '"1"', b: '"2"' }],
        ['HGETALL none', {}],
        ['GET none', null],
        ['CONFIG GET save', { save: '""' }],
      ],
      3,
    ));
});

describe('connections', () => {
  it('answer what clients ask first', () =>
    check([
      ['PING', 'PONG'],
      ['PING hello', '"hello"'],
      ['PING a b', '-ERR invalid_argument'],
      ['ECHO hello', '"hello"'],
      ['SELECT 0', 'OK'],
      ['SELECT 1', '-ERR invalid_argument'],
      ['CLIENT SETINFO lib-name x', 'OK'],
      ['CLIENT SETINFO other x', '-ERR invalid_argument'],
      ['CLIENT GETNAME', null],
      ['CLIENT SETNAME me', 'OK'],
      ['CLIENT GETNAME', '"me"'],
      ['CLIENT ID', expect.any(Number)],
      ['CLIENT MAINT_NOTIFICATIONS ON', '-ERR invalid_argument'],
      ['CLIENT toString', '-ERR invalid_argument'],
      ['CONFIG GET appendonly', ['"appendonly"', '"no"']],
      ['CONFIG SET save x', '-ERR invalid_argument'],
      ['COMMAND COUNT', expect.any(Number)],
      ['COMMAND INFO get none', [['"get"', 2, ['readonly', 'fast'], 1, 1, 1], null]],
      ['COMMAND DOCS', expect.any(Array)],
      ['COMMAND', expect.any(Array)],
      ['INFO', /redis_version:7/],
      ['INFO memory', /used_memory:\d+/],
      ['INFO default', /^(?![^]*used_memory)/],
      ['INFO replication', /^"# Replication\r\nrole:master\r\n/],
      ['HELLO 4', '-NOPROTO invalid_argument'],
      ['HELLO 2 SETNAME', '-ERR invalid_argument'],
      ['RESET', 'RESET'],
      ['CLIENT GETNAME', null],
    ]));

  it('end with QUIT, after the reply', async () => {
    const client = await (await serveResp()).connect();
    client.send('PING\r\nQUIT\r\nPING\r\n');
    expect(await client.rest()).toBe('+PONG\r\n+OK\r\n');
  });

  it('answer all that was sent before the client stopped sending', async () => {
    const client = await (await serveResp()).connect();
    client.send('SET k v\r\nGET k\r\n');
    client.socket.end();
    expect(await client.rest()).toBe('+OK\r\n$1\r\nv\r\n');
  });

  it('break off what browsers send', async () => {
    const { connect, pool } = await serveResp();
    for (const head of ['POST / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: localhost\r\n']) {
      const client = await connect();
      client.send(`${head}\r\nSET stolen 1\r\n`);
      expect(await client.rest()).toMatch(/-ERR Protocol error: HTTP .*\(invalid_argument\)\r\n$/);
    }
    expect(pool.stats().parts).toBe(0);
  });
});

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

describe('SCAN', () => {
  it('finds every key once, in pages, by pattern and type', async () => {
    const { connect } = await serveResp();
    const client = await connect();
    const keys = Array.from({ length: 2500 }, (_, i) => `${i % 2 ? 'odd' : 'even'}:${i}`);
    client.send(Buffer.concat(keys.map((key) => encode('SET', key, 'v'))));
    await client.replies(keys.length);
    await client.call('HSET', 'even:hash', 'f', 'v');
    await client.call('SET', Buffer.from('odd:\xff', 'latin1'), 'v');

    async function all(...options: Word[]): Promise<{ found: string[]; pages: number }> {
      const found: string[] = [];
      let cursor = '0';
      let pages = 0;
      do {
        const reply = (await client.call('SCAN', cursor, ...options)) as [Buffer, Buffer[]];
        found.push(...reply[1].map((key) => key.toString('latin1')));
        cursor = reply[0].toString();
        pages++;
      } while (cursor !== '0');
      return { found: found.sort(), pages };
    }

    const every = await all();
    expect(every.pages).toBeGreaterThan(100);
    expect(every.found).toEqual([...keys, 'even:hash', 'odd:\xff'].sort());
    expect((await all('COUNT', 5000)).pages).toBeLessThan(5);
    const odd = keys.filter((key) => key.startsWith('odd'));
    expect((await all('MATCH', 'odd:*')).found).toEqual([...odd, 'odd:\xff'].sort());
    expect((await all('MATCH', '*:12?')).found).toEqual(
      keys.filter((key) => /:12.$/.test(key)).sort(),
    );
    expect((await all('MATCH', 'even:[0-1a]')).found).toEqual(['even:0']);
    expect((await all('TYPE', 'hash')).found).toEqual(['even:hash']);
    for (const words of [
      ['x'],
      [2 ** 32],
      ['1'.repeat(17)],
      [0, 'COUNT', 0],
      [0, 'WHAT', 1],
      [0, 'MATCH'],
    ]) {
      expect(plain(await client.call('SCAN', ...words))).toBe('-ERR invalid_argument');
    }
  });
});
