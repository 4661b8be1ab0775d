/** RESP over rules of more than one tenant: scopes, pools that open late, what is reserved. */

import { describe, expect, it } from 'vitest';

import { until } from '../../support/until.ts';
import { encode, ErrorReply, type Reply, type Word } from './support/client.ts';
import { pattern } from './support/serve.ts';
import { errorOf, mib, start } from './support/callers.ts';

describe('tenants', () => {
  it('open when they are first asked for, whatever the commands are sent with', async () => {
    const { a, connect } = await start();
    const client = await connect();
    const value = pattern(mib);
    client.send(
      Buffer.concat([
        encode('AUTH', 'a', 'key-a'),
        encode('SET', 'k', value),
        encode('GET', 'k'),
        encode('PING'),
      ]),
    );
    expect(await client.replies(2)).toEqual(['OK', 'OK']);
    expect(((await client.reply()) as Buffer).equals(value)).toBe(true);
    expect(await client.reply()).toBe('PONG');
    expect(a.opened).toBe(1);
    // Closed while idle, it opens again, also in the middle of a command.
    client.send('*2\r\n$3\r\nGE');
    await until(() => a.running === 0);
    a.isOpen = false;
    client.send('T\r\n$1\r\nk\r\n');
    expect(((await client.reply()) as Buffer).length).toBe(mib);
    expect(a.opened).toBe(2);
  });

  it('get back what was reserved for an old value when the new one is refused', async () => {
    const { a, connect } = await start();
    const client = await connect('key-a');
    await client.call('SET', 'k', pattern(100_000));
    expect(errorOf(await client.call('SET', 'k', 'v', 'EX', 2 ** 52, 'GET'))).toBe(
      'ERR invalid_argument',
    );
    expect([a.running, a.inFlightBytes]).toEqual([0, 0]);
  });

  it('that cannot be opened say so to each command, and open later', async () => {
    const { a, service, connect } = await start();
    a.openWith = new Error('disk');
    const client = await connect('key-a');
    client.send(Buffer.concat([encode('GET', 'k'), encode('PING'), encode('GET', 'k')]));
    const [first, second, third] = await client.replies(3);
    expect([errorOf(first!), second, errorOf(third!)]).toEqual([
      'ERR internal',
      'PONG',
      'ERR internal',
    ]);
    const bytes = encode('SET', 'k', pattern(100_000));
    client.send(bytes.subarray(0, 50_000));
    await until(() => service.traffic.heldBytes > 0);
    a.openWith = undefined;
    client.send(bytes.subarray(50_000));
    expect(errorOf(await client.reply())).toBe('ERR internal');
    expect(await client.call('GET', 'k')).toBeNull();
  });

  it('see nothing of one another: every command answers as if there were nothing', async () => {
    const { a, b, connect } = await start();
    const [one, other] = [await connect('key-a'), await connect('key-b')];
    await one.call('MSET', 'k', 'v', 'l', pattern(100_000));
    await one.call('HSET', 'h', 'f', 'v');
    const [cursor] = (await one.call('SCAN', 0)) as Buffer[];
    expect(cursor?.toString()).toBe('0');
    const commands: [Word[], Reply][] = [
      [['GET', 'k'], null],
      [['GET', 'l'], null],
      [
        ['MGET', 'k', 'l'],
        [null, null],
      ],
      [['STRLEN', 'k'], 0],
      [['GETRANGE', 'l', 0, -1], Buffer.alloc(0)],
      [['EXISTS', 'k', 'h'], 0],
      [['TYPE', 'h'], 'none'],
      [['TTL', 'k'], -2],
      [['PTTL', 'k'], -2],
      [['EXPIRETIME', 'k'], -2],
      [['PEXPIRETIME', 'k'], -2],
      [['EXPIRE', 'k', 100], 0],
      [['PEXPIRE', 'k', 100], 0],
      [['EXPIREAT', 'k', 1], 0],
      [['PEXPIREAT', 'k', 1], 0],
      [['PERSIST', 'k'], 0],
      [['HGET', 'h', 'f'], null],
      [['HMGET', 'h', 'f'], [null]],
      [['HGETALL', 'h'], []],
      [['HKEYS', 'h'], []],
      [['HLEN', 'h'], 0],
      [['HEXISTS', 'h', 'f'], 0],
      [['HDEL', 'h', 'f'], 0],
      [['DEL', 'k', 'h'], 0],
      [['UNLINK', 'l'], 0],
      [
        ['SCAN', 0],
        [Buffer.from('0'), []],
      ],
      [['DBSIZE'], 0],
      [['SETNX', 'k', 'mine'], 1],
      [['SET', 'h', 'mine', 'XX'], null],
      [['APPEND', 'l', 'mine'], 4],
      [['HSET', 'h', 'f', 'mine'], 1],
    ];
    for (const [words, expected] of commands) {
      expect(await other.call(...words), String(words[0])).toEqual(expected);
    }
    expect(await one.call('MGET', 'k')).toEqual([Buffer.from('v')]);
    expect(await one.call('STRLEN', 'l')).toBe(100_000);
    expect(await one.call('HGET', 'h', 'f')).toEqual(Buffer.from('v'));
    expect(a.pool).not.toBe(b.pool);
  });
});

describe('connections', () => {
  it('of one tenant leave room for those of others', async () => {
    const { connect, service } = await start({ maxTenantConnections: 2 });
    const [first] = [await connect('key-a'), await connect('key-reader')];
    const third = await connect();
    expect(errorOf(await third.call('HELLO', 3, 'AUTH', 'a', 'key-a'))).toBe('LOADING overloaded');
    expect(errorOf(await third.call('PING'))).toBe('NOAUTH unauthorized');
    // Who is counted already may change to another key of the tenant.
    expect(await first.call('AUTH', 'key-reader')).toBe('OK');
    expect(await (await connect('key-b')).call('PING')).toBe('PONG');
    expect(await first.call('RESET')).toBe('RESET');
    expect(await (await connect('key-a')).call('PING')).toBe('PONG');
    first.socket.destroy();
    await until(() => service.connectionsOf.of('a') === 2 && service.connectionsOf.of('b') === 1);
  });
});

describe('keys', () => {
  it('may do what their scopes say', async () => {
    const { connect } = await start();
    const [writer, reader] = [await connect('key-a'), await connect('key-reader')];
    await writer.call('SET', 'k', 'v');
    expect(await reader.call('GET', 'k')).toEqual(Buffer.from('v'));
    for (const words of [
      ['SET', 'k', 'w'],
      ['SET', 'k', pattern(100_000)],
      ['APPEND', 'k', 'w'],
      ['EXPIRE', 'k', 1],
      ['HSET', 'k', 'f', 'v'],
      ['DEL', 'k'],
      ['HDEL', 'k', 'value'],
    ] as Word[][]) {
      expect(errorOf(await reader.call(...words)), String(words[0])).toBe('NOPERM forbidden');
    }
    expect(await writer.call('GET', 'k')).toEqual(Buffer.from('v'));
  });

  it('name their tenant: another name beside them is refused', async () => {
    const { connect } = await start();
    for (const [words, expected] of [
      [['a', 'key-a'], 'OK'],
      [['default', 'key-a'], 'OK'],
      [['b', 'key-a'], 'WRONGPASS unauthorized'],
    ] as const) {
      const reply = await (await connect()).call('AUTH', ...words);
      expect(reply instanceof ErrorReply ? errorOf(reply) : reply).toBe(expected);
    }
  });

  it('that are revoked do nothing more, within a connection too', async () => {
    const { a, connect } = await start();
    const client = await connect('key-a');
    expect(await client.call('SET', 'k', 'v')).toBe('OK');
    a.isValid = false;
    expect(errorOf(await client.call('GET', 'k'))).toBe('NOAUTH unauthorized');
    a.isValid = true;
    expect(errorOf(await client.call('GET', 'k'))).toBe('NOAUTH unauthorized');
    expect(await client.call('AUTH', 'key-a')).toBe('OK');
    expect(await client.call('GET', 'k')).toEqual(Buffer.from('v'));
  });
});

describe('reservations', () => {
  it('cover a large value from its first byte to its end, and a lease until it is sent', async () => {
    const { a, connect } = await start();
    const client = await connect('key-a');
    await client.call('PING');
    const bytes = encode('SET', 'k', pattern(4 * mib));
    client.send(bytes.subarray(0, mib));
    await until(() => a.inFlightBytes === 4 * mib);
    client.send(bytes.subarray(mib));
    expect(await client.reply()).toBe('OK');
    expect(a.inFlightBytes).toBe(0);
    await client.call('SET', 'l', pattern(10 * mib));
    client.socket.pause();
    client.send(encode('GET', 'l'));
    await until(() => a.inFlightBytes === 10 * mib);
    client.socket.resume();
    expect(((await client.reply()) as Buffer).length).toBe(10 * mib);
    await until(() => a.inFlightBytes === 0);
  });

  it('are one for each command, and given back where it fails', async () => {
    const { a, connect } = await start();
    const client = await connect('key-a');
    for (const words of [
      ['SET', 'k', 'v'],
      ['GET', 'k'],
      ['GET', 'none'],
      ['SET', 'k', pattern(100_000)],
      ['GET', 'k'],
      ['GETRANGE', 'k', 0, 5],
      ['GETRANGE', 'none', 0, 5],
      ['APPEND', 'none', 'x'],
      ['HGET', 'k', 'value'],
      ['DEL', 'k'],
      ['SET', 'k'.repeat(600), 'v'],
      ['SCAN', 0],
    ] as Word[][]) {
      const before = a.operations;
      await client.call(...words);
      expect(a.operations - before, String(words[0])).toBe(1);
      await until(() => a.inFlightBytes === 0 && a.running === 0);
    }
  });

  it('that are refused are told, and nothing is done', async () => {
    const { a, connect } = await start();
    const client = await connect('key-a');
    await client.call('SET', 'k', pattern(mib));
    a.maxInFlightBytes = 500_000;
    expect(errorOf(await client.call('SET', 'l', pattern(mib)))).toBe('ERR budget_exceeded');
    expect(errorOf(await client.call('GET', 'k'))).toBe('ERR budget_exceeded');
    expect(errorOf(await client.call('MGET', 'k'))).toBe('ERR budget_exceeded');
    expect(errorOf(await client.call('SET', 'k', 'x', 'GET'))).toBe('ERR budget_exceeded');
    a.maxInFlightBytes = Infinity;
    expect(await client.call('STRLEN', 'k')).toBe(mib);
    a.maxOperations = a.operations;
    expect(errorOf(await client.call('GET', 'k'))).toBe('ERR rate_limited');
    expect(errorOf(await client.call('SET', 'k', 'v'))).toBe('ERR rate_limited');
    expect(errorOf(await client.call('SET', 'k', pattern(mib)))).toBe('ERR rate_limited');
    expect(await client.call('PING')).toBeInstanceOf(ErrorReply);
    a.maxOperations = Infinity;
    expect(await client.call('PING')).toBe('PONG');
    expect(a.pool?.stats().parts).toBe(1);
  });
});
