import { describe, expect, it } from 'vitest';

import { createServer, Keyring } from '../../src/server/index.ts';
import { RawClient, testKey } from './support/client.ts';
import { footprint, serve } from './support/serve.ts';
import { until } from '../support/until.ts';

const path = '/v1/contexts/c/parts/p';
const host = `Host: x\r\nAuthorization: Bearer ${testKey}\r\n`;
const health = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

describe('close', () => {
  it('closes idle connections at once', async () => {
    const { url, server } = await serve();
    const fresh = await RawClient.to(url);
    const used = await RawClient.to(url);
    used.send(health);
    await used.receive(/"ok"/);
    await until(() => server.stats().connections === 2 && server.stats().running === 0);
    expect(await server.close()).toEqual({ cutConnections: 0 });
    expect(await fresh.receiveAll()).toBe('');
    await used.receiveAll();
    await expect(RawClient.to(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('lets a running upload finish, and closes its connection', async () => {
    const { url, server, pool } = await serve();
    const client = await RawClient.to(url);
    client.send(`PUT ${path} HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nfirst`);
    await until(() => server.stats().running === 1);
    const closed = server.close();
    client.send(' last');
    const seen = await client.receiveAll();
    expect(seen).toMatch(/^HTTP\/1.1 201 /);
    expect(seen.toLowerCase()).toContain('connection: close');
    expect(await closed).toEqual({ cutConnections: 0 });
    expect(pool.get('c', 'p')?.sizeBytes).toBe(10);
  });

  it('lets a running download finish', async () => {
    const { url, server, pool } = await serve();
    const bytes = Buffer.alloc(16 * 2 ** 20, 'abc');
    pool.put('c', 'p', bytes);
    const client = await RawClient.to(url);
    client.socket.pause();
    client.send(`GET ${path} HTTP/1.1\r\n${host}\r\n`);
    await until(() => pool.stats().operations.gets === 1);
    const closed = server.close();
    client.socket.resume();
    const seen = Buffer.from(await client.receiveAll(), 'latin1');
    expect(seen.subarray(seen.indexOf('\r\n\r\n') + 4).equals(bytes)).toBe(true);
    expect(await closed).toEqual({ cutConnections: 0 });
  });

  it('cuts at the deadline, and an upload cut then changes nothing', async () => {
    const { url, server, pool } = await serve();
    pool.put('c', 'p', 'as it was');
    const before = footprint(pool);
    const client = await RawClient.to(url);
    client.send(`PUT ${path} HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nfirst`);
    await until(() => server.stats().running === 1);
    expect(await server.close({ deadlineMs: 1 })).toEqual({ cutConnections: 1 });
    expect(server.stats().running).toBe(0);
    expect(footprint(pool)).toEqual(before);
    await client.receiveAll();
  });

  it('refuses requests whose headers were still arriving', async () => {
    const { url, server } = await serve();
    const ready = await RawClient.to(url);
    const other = await RawClient.to(url);
    ready.send('GET /readyz HTTP/1.1\r\n');
    other.send(`PUT ${path} HTTP/1.1\r\n`);
    await until(() => server.stats().connections === 2);
    // Loopback delivers at once; the next turns of the loop read it.
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    const closed = server.close();
    ready.send('Host: x\r\n\r\n');
    other.send(`${host}Content-Length: 1\r\n\r\nx`);
    for (const client of [ready, other]) {
      const seen = await client.receiveAll();
      expect(seen).toMatch(/^HTTP\/1.1 503 .*shutting_down/s);
      expect(seen.toLowerCase()).toContain('retry-after: 1');
    }
    expect(await closed).toEqual({ cutConnections: 0 });
  });

  it('gives the same answer twice', async () => {
    const { server } = await serve();
    const first = server.close();
    expect(server.close()).toBe(first);
    await first;
  });

  it('ends a server that never listened', async () => {
    const { pool } = await serve();
    const server = createServer({ pool, auth: Keyring.of('k') });
    expect(await server.close()).toEqual({ cutConnections: 0 });
    expect(server.urls).toEqual([]);
  });
});

describe('listen', () => {
  it('says why it cannot', async () => {
    const { pool, url } = await serve();
    const { port } = new URL(url);
    const second = createServer({ pool, auth: Keyring.of('k'), http: { port: Number(port) } });
    await expect(second.listen()).rejects.toMatchObject({
      code: 'io_failed',
      message: `Could not listen on 127.0.0.1 port ${port}: EADDRINUSE.`,
    });
  });

  it.each([-1, 65_536, 1.5, NaN])('refuses port %s', async (port) => {
    const { pool } = await serve();
    expect(() => createServer({ pool, auth: 'none', http: { port } })).toThrow(/port/);
  });

  it.each([
    [{ maxBodyBytes: 0 }, /maxBodyBytes/],
    [{ lingerMs: 2 ** 31 }, /lingerMs/],
    [{ sliceBytes: 1.5 }, /sliceBytes/],
    [{ maxInFlightBytes: 10, maxBodyBytes: 11 }, /maxInFlightBytes/],
    [{ nonsense: 1 }, /nonsense/],
  ])('refuses the limits %j', async (limits: object, message) => {
    const { pool } = await serve();
    expect(() => createServer({ pool, auth: 'none', limits })).toThrow(message);
  });
});
