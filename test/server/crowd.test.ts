/** Many who are idle, half-open, or slow: what they hold is bounded, and those who come are served. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { expect, it, onTestFinished } from 'vitest';

import { rounds } from '../support/seed.ts';
import { testKey } from './support/client.ts';
import { until } from '../support/until.ts';
import { serveTenants } from './support/tenants.ts';

const program = fileURLToPath(new URL('fixtures/crowd.mjs', import.meta.url));
const mib = 2 ** 20;
const partBytes = 64 * mib;

/** What one that sends nothing, or half a request, may take of the server. */
const connectionMaxBytes = 16 * 1024;
/** What one that takes nothing of its answer may: views of slices that wait in its socket, and no copy of them. */
const readerMaxBytes = 256 * 1024;
/** Garbage that waits to be collected. */
const garbageMaxBytes = 32 * mib;

function heldBytes(): number {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

it('is served within bounds', async () => {
  const idle = rounds(1_000, 10_000);
  const halfOpen = rounds(100, 1_000);
  const readers = rounds(20, 200);
  const test = await serveTenants({
    newCapacityBytes: 256 * mib,
    // Nobody is sent away while the others come.
    limits: { headersTimeoutMs: 300_000, idleTimeoutMs: 300_000 },
  });
  const pool = await test.poolOf(testKey);
  pool.put('c', 'large', Buffer.alloc(partBytes, 1));
  const get = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n\r\n`;
  const before = heldBytes();
  const crowd = fork(program, { execArgv: [] });
  onTestFinished(() => void crowd.kill());
  const port = Number(new URL(test.url).port);
  const come = async (count: number, first: string, pauses = false): Promise<void> => {
    crowd.send({ port, count, first, pauses });
    await once(crowd, 'message');
  };
  const half = 'PUT /v1/contexts/a/parts/b HTTP/1.1\r\nHost: x\r\nX-Half';
  await come(idle, '');
  await come(halfOpen, half);
  await until(() => test.server.stats().connections === idle + halfOpen);
  const quietMaxBytes = (idle + halfOpen) * connectionMaxBytes + garbageMaxBytes;
  expect(heldBytes() - before).toBeLessThan(quietMaxBytes);
  await come(readers, get('/v1/contexts/c/parts/large'), true);
  await until(() => test.server.stats().running === readers);
  expect(test.guard.tenants()[0]).toMatchObject({
    runningOperations: readers,
    inFlightBytes: readers * partBytes,
  });
  const held = heldBytes() - before;
  expect(held).toBeLessThan(quietMaxBytes + readers * readerMaxBytes);
  console.log(
    `${idle} idle, ${halfOpen} half-open, ${readers} slow: ${(held / mib).toFixed(1)} MiB more`,
  );
  expect((await test.call('GET', '/v1/contexts')).status).toBe(200);
  // Deleted while they read it: its bytes stay until the last of them has gone.
  expect(pool.delete('c')).toBe(1);
  expect(pool.stats().retiredParts).toBe(1);
  crowd.kill('SIGKILL');
  await until(() => test.server.stats().connections === 0 && test.server.stats().running === 0);
  expect(test.guard.tenants()[0]).toMatchObject({ runningOperations: 0, inFlightBytes: 0 });
  expect(pool.stats().retiredParts).toBe(0);
  expect(test.errors).toEqual([]);
});
