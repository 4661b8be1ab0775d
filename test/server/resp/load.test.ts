/** Very many clients, most of them useless: what they cost is bounded, and the others are served. */

import { connect, type Socket } from 'node:net';

import { describe, expect, it } from 'vitest';

import { rounds } from '../../support/seed.ts';
import { encode, RespClient } from './support/client.ts';
import { startServer } from './support/child.ts';
import { pattern } from './support/serve.ts';

const mib = 2 ** 20;
const kib = 1024;

/** Connections are opened so many at a time. */
const burst = 200;

async function openMany(count: number, port: number, greet?: Uint8Array): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(burst, count - sockets.length) }, () =>
      opened(port, greet),
    );
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

function opened(port: number, greet: Uint8Array | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      if (greet !== undefined) socket.write(greet);
      resolve(socket);
    });
  });
}

function answered(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('data', () => resolve());
  });
}

function destroyAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}

describe('a server with', () => {
  it('thousands of idle connections keeps no buffer for them', async () => {
    const count = rounds(2000, 10_000);
    const child = await startServer();
    const before = await child.memory();
    const sockets = await openMany(count, child.port, encode('PING'));
    const client = await RespClient.to(child.url);
    await Promise.all(sockets.map(answered));
    expect(await client.call('PING')).toBe('PONG');
    const after = await child.memory();
    expect(after.connections).toBe(count + 1);
    const eachBytes = (after.rssBytes - before.rssBytes) / count;
    process.stdout.write(`${count} idle connections: ${(eachBytes / kib).toFixed(1)} KiB each\n`);
    expect(eachBytes).toBeLessThan(32 * kib);
    destroyAll(sockets);
    await child.stop();
  });

  it('half-open commands keeps what has come of them, not what was announced', async () => {
    const count = rounds(300, 1000);
    const child = await startServer();
    const before = await child.memory();
    const half = Buffer.from('*2\r\n$6\r\nAPPEND\r\n$16000000\r\nabc');
    const sockets = await openMany(count, child.port, half);
    const client = await RespClient.to(child.url);
    await client.call('PING');
    const after = await child.memory();
    const eachBytes = (after.rssBytes - before.rssBytes) / count;
    process.stdout.write(`${count} half-open commands: ${(eachBytes / kib).toFixed(1)} KiB each\n`);
    expect(eachBytes).toBeLessThan(64 * kib);
    destroyAll(sockets);
    await child.stop();
  });

  it('slow readers of 64 MiB parts sends from the pool: nothing is copied for them', async () => {
    const count = rounds(40, 200);
    const child = await startServer({ slowReaderMs: 600_000 });
    const client = await RespClient.to(child.url);
    expect(await client.call('SET', 'k', pattern(64 * mib))).toBe('OK');
    const before = await child.memory();
    const sockets = await openMany(count, child.port, encode('GET', 'k'));
    for (const socket of sockets) socket.pause();
    let waitingBytes = 0;
    while (waitingBytes < count * 32 * mib) waitingBytes = (await child.memory()).waitingBytes;
    const after = await child.memory();
    process.stdout.write(
      `${count} slow readers: ${((after.rssBytes - before.rssBytes) / count / kib).toFixed(1)} KiB each, ${Math.round(after.waitingBytes / mib)} MiB waiting\n`,
    );
    expect((after.rssBytes - before.rssBytes) / count).toBeLessThan(256 * kib);
    expect(((await client.call('GET', 'k')) as Buffer).length).toBe(64 * mib);
    destroyAll(sockets);
    await child.stop();
  });
});
