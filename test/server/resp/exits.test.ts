/** Commands that fail late, or ask for too much: nothing has changed, and what is held stays bounded. */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

import { describe, expect, it, onTestFinished } from 'vitest';

import { poolGuard } from '../../../src/guard/pool-guard.ts';
import { openPool } from '../../../src/pool/open.ts';
import { Keyring } from '../../../src/server/index.ts';
import { makeRespService } from '../../../src/server/resp/service.ts';
import { RespWire } from '../../../src/server/resp/wire.ts';
import { testKey } from '../support/client.ts';
import { until } from '../../support/until.ts';
import { encode, ErrorReply, type Reply, type Word } from './support/client.ts';
import { pattern, serveResp } from './support/serve.ts';

const mib = 2 ** 20;

function codeOf(reply: Reply): string {
  expect(reply).toBeInstanceOf(ErrorReply);
  return (reply as ErrorReply).code;
}

describe('a time to live that cannot be', () => {
  it.each<[string, (value: Buffer) => Word[]]>([
    ['SET', (value) => ['SET', 'k', value, 'EX', 2 ** 52]],
    ['SETEX', (value) => ['SETEX', 'k', 2 ** 52, value]],
    ['PSETEX', (value) => ['PSETEX', 'k', 2 ** 52, value]],
  ])('leaves what was under the key of %s, be the new value small or large', async (_, words) => {
    const client = await (await serveResp()).connect();
    await client.call('HELLO', 2);
    await client.call('SET', 'k', 'before');
    for (const sizeBytes of [10, 100_000]) {
      expect(codeOf(await client.call(...words(pattern(sizeBytes))))).toBe('invalid_argument');
      expect(await client.call('GET', 'k')).toEqual(Buffer.from('before'));
    }
  });
});

describe('a large value', () => {
  it('has the expiry that came behind it', async () => {
    const client = await (await serveResp()).connect();
    const value = pattern(100_000);
    await client.call('SET', 'k', value, 'PX', 5_000_000);
    expect(await client.call('PTTL', 'k')).toBeGreaterThan(4_000_000);
    await client.call('SET', 'k', value, 'KEEPTTL');
    expect(await client.call('PTTL', 'k')).toBeGreaterThan(4_000_000);
    await client.call('SET', 'k', value);
    expect(await client.call('PTTL', 'k')).toBe(-1);
  });
});

describe('memory of the server', () => {
  it('holds copies of replies of all connections together up to a bound, and all get theirs in the end', async () => {
    const maxOutputBytes = 4 * mib;
    const server = await serveResp({ maxOutputBytes, slowReaderMs: 60_000 });
    server.pool.put('k', 'value', pattern(16_000));
    const readers = await Promise.all(Array.from({ length: 16 }, () => server.connect()));
    const get = encode('GET', 'k');
    for (const reader of readers) {
      reader.socket.pause();
      reader.send(Buffer.concat(Array.from({ length: 1000 }, () => get)));
    }
    const stats = () => server.server.respStats();
    await until(() => (stats()?.waitingBytes ?? 0) >= maxOutputBytes);
    const one = await server.connect();
    await one.call('HELLO', 2);
    const names = Array.from({ length: 100 }, () => 'k');
    expect(codeOf(await one.call('MGET', ...names))).toBe('overloaded');
    // One connection may have passed the bound by what it may have waiting, all others by one reply.
    expect(stats()?.waitingBytes).toBeLessThan(maxOutputBytes + 9 * mib);
    for (const reader of readers) {
      reader.socket.resume();
      for (const reply of await reader.replies(1000)) {
        expect((reply as Buffer).length).toBe(16_000);
      }
    }
    expect(((await one.call('MGET', ...names)) as Buffer[]).length).toBe(100);
    await until(() => stats()?.waitingBytes === 0);
  });

  it('is not taken up by what is sent from a pool', async () => {
    const limits = { maxOutputBytes: 20 * mib, slowReaderMs: 60_000 };
    const server = await serveResp(limits, { pool: { capacityBytes: 128 * mib } });
    server.pool.put('k', 'value', pattern(16 * mib));
    server.pool.put('l', 'value', pattern(10_000));
    for (let i = 0; i < 4; i++) {
      const slow = await server.connect();
      slow.socket.pause();
      slow.send(encode('GET', 'k'));
    }
    await until(() => (server.server.respStats()?.waitingBytes ?? 0) > 40 * mib);
    const quick = await server.connect();
    const replies = (await quick.call('MGET', 'l', 'l', 'l')) as Buffer[];
    expect(replies.map(({ length }) => length)).toEqual([10_000, 10_000, 10_000]);
  });

  it('holds commands that are not complete up to a bound', async () => {
    const server = await serveResp({ maxHeldBytes: 4 * mib });
    const stats = () => server.server.respStats();
    const part = encode('ECHO', pattern(2 * mib)).subarray(0, 1_500_000);
    const clients = await Promise.all(Array.from({ length: 8 }, () => server.connect()));
    for (const client of clients) client.send(part);
    await until(() => (stats()?.closed.protocol ?? 0) >= 5);
    expect(stats()?.heldBytes).toBeLessThanOrEqual(4 * mib);
    const other = await server.connect();
    expect(await other.call('PING')).toBe('PONG');
    for (const client of clients) client.socket.destroy();
    await until(() => stats()?.connections === 1);
    expect(stats()?.heldBytes).toBe(0);
  });
});

describe('commands that take long', () => {
  it('let others have their turn, and go on where they were', async () => {
    let nowMs = 1_700_000_000_000;
    // Every look at the clock finds it later by more than a turn.
    const clock = { nowMs: () => (nowMs += 20) };
    const server = await serveResp({ stallTimeoutMs: 2 ** 30 }, { clock });
    const client = await server.connect();
    const commands = Array.from({ length: 100 }, (_, i) => encode('ECHO', `number ${i}`));
    client.send(Buffer.concat(commands));
    await until(() => (server.server.respStats()?.commands ?? 0) > 0);
    expect(server.server.respStats()?.commands).toBeLessThan(10);
    const replies = await client.replies(100);
    expect(replies.map(String)).toEqual(commands.map((_, i) => `number ${i}`));
    client.send(Buffer.concat(commands));
    client.socket.end();
    expect((await client.replies(100)).length).toBe(100);
    expect(await client.rest()).toBe('');
  });
});

describe('an idle connection', () => {
  it.runIf(process.platform === 'linux')('is asked by the system whether it is alive', async () => {
    const server = await serveResp();
    const client = await server.connect();
    expect(await client.call('PING')).toBe('PONG');
    const port = (number = 0): string => number.toString(16).toUpperCase().padStart(4, '0');
    const { localPort, remotePort } = client.socket;
    // Its side of the server: local and remote address, state 01 (established), queues, timer 02 (keepalive).
    const row = new RegExp(`:${port(remotePort)} \\S+:${port(localPort)} 01 \\S+ (\\S+):`);
    // The timer of a reply runs first, until the client has acknowledged it.
    await until(() => row.exec(readFileSync('/proc/net/tcp', 'latin1'))?.[1] === '02');
  });
});

describe('a connection that has ended', () => {
  it('is not ended once more while its client lingers', async () => {
    const pool = await openPool({ capacityBytes: 16 * mib });
    let nowMs = 1_700_000_000_000;
    const clock = { nowMs: () => nowMs };
    const service = makeRespService({ guard: poolGuard(pool, Keyring.of(testKey)), clock });
    const wire = new RespWire(service);
    const { port } = await wire.listen('127.0.0.1', 0);
    onTestFinished(async () => {
      await wire.close(0);
      await pool.close();
    });
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.write('*2\r\n$3\r\nGET\r\n$10\r\nab');
    await until(() => service.traffic.heldBytes > 0);
    nowMs += 100_000;
    wire.sweep();
    nowMs += 1;
    wire.sweep();
    const { closed, errors } = service.traffic.stats();
    expect({ ...closed, errors }).toMatchObject({ auth_timeout: 1, errors: { unauthorized: 1 } });
    expect(closed.stalled).toBe(0);
  });
});
