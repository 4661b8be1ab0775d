import { describe, expect, it } from 'vitest';

import { encode, plain, type Word } from './support/client.ts';
import { serveResp } from './support/serve.ts';

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
