/** Good messages of every route with bytes changed, cut, doubled and mixed: each is answered with a success or a coded error. */

import { expect, it } from 'vitest';

import { errorTable } from '../../src/errors.ts';
import { routes } from '../../src/server/http/routes.ts';
import { rounds, seed } from '../support/seed.ts';
import { codeIn, RawClient, testKey } from './support/client.ts';
import { until } from '../support/until.ts';
import { serveTenants, type TenantServer } from './support/tenants.ts';

/** Connections at once. */
const parallel = 16;

const bodies: Readonly<Record<string, string>> = {
  writePart: 'hello',
  appendPart: 'hello',
  expire: '{"ttlMs":60000}',
  pin: '{"part":"p"}',
  unpin: '{}',
  hint: '{"stop":"end_turn"}',
  invalidate: '{"tag":"t"}',
  batchGet: '{"parts":[{"id":"c","part":"p"},{"id":"c","part":"q"}]}',
  batchPut:
    '{"id":"c","part":"p","sizeBytes":2,"tags":["t"]}\nhi{"id":"c","part":"q","sizeBytes":0}\n',
  putTenant: '{"capacityBytes":8388608}',
  createKey: '{"tenant":"acme","scopes":["ctx:read"]}',
};

/** What a client sends when all is well; chunked, with conditions and ranges too. */
const captures: readonly Buffer[] = routes.flatMap(({ method, path, operation }) => {
  const target = path
    .replace('{id}', operation.includes('enant') ? 'acme' : 'c')
    .replace('{part}', 'p');
  const body = bodies[operation] ?? '';
  const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n`;
  const chunk = body === '' ? '' : `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
  return [
    `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`,
    `${head}If-Match: "1"\r\nRange: bytes=0-1\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  ].map((text) => Buffer.from(text));
});

/** Random whole numbers below `bound`, the same for the same seed. */
function dice(from: number): (bound: number) => number {
  let x = (from ^ 0x9e3779b9) | 1;
  return (bound) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x & 0x7fffffff) % bound;
  };
}

function mutated(next: (bound: number) => number): Buffer {
  const pick = (): Buffer => captures[next(captures.length)] as Buffer;
  let bytes: Buffer = Buffer.from(pick());
  for (let i = next(3); i >= 0; i--) {
    const at = next(bytes.length + 1);
    const to = Math.min(bytes.length, at + next(12));
    const change = next(7);
    if (change === 0) bytes[Math.min(at, bytes.length - 1)] = next(256);
    if (change === 1) bytes = bytes.subarray(0, at);
    if (change === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    if (change === 3) bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    if (change === 4) bytes = Buffer.concat([bytes, pick()]);
    if (change === 5) bytes = Buffer.concat([bytes.subarray(0, at), pick().subarray(next(60))]);
    if (change === 6) {
      const digit = Buffer.from(String(next(10)).repeat(1 + next(12)));
      bytes = Buffer.concat([bytes.subarray(0, at), digit, bytes.subarray(at)]);
    }
    if (bytes.length === 0) bytes = Buffer.from('\r\n');
  }
  return bytes;
}

const successes = new Set(
  routes.flatMap((route) => route.successes.map(({ status }) => status as number)),
);

/** Statuses of the answers; fails for one that is neither a success nor coded. */
function statusesOf(seen: string): number[] {
  return seen
    .split(/(?=HTTP\/1\.1 \d{3} [A-Z])/)
    .filter((answer) => answer !== '')
    .map((answer) => {
      const status = Number(answer.slice(9, 12));
      if (status === 100 || successes.has(status)) return status;
      const text = answer.slice(answer.indexOf('\r\n\r\n') + 4);
      if (text !== '') {
        expect(errorTable[codeIn(text)]?.httpStatus, answer).toBe(status);
      }
      return status;
    });
}

async function send({ url }: TenantServer, bytes: Buffer): Promise<string> {
  const client = await RawClient.to(url);
  client.socket.end(bytes);
  return client.receiveAll();
}

it('are answered, and leave nothing behind', async () => {
  const next = dice(seed());
  const target = await serveTenants({ limits: { lingerMs: 5 } });
  const pool = await target.poolOf(testKey);
  const counts = new Map<number, number>();
  let left = rounds(1500, 30_000);
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      pool.put('c', 'p', 'something', { tags: ['t'] });
      const bytes = mutated(next);
      const seen = await send(target, bytes);
      try {
        for (const status of statusesOf(seen)) counts.set(status, (counts.get(status) ?? 0) + 1);
        expect(seen).not.toContain('HTTP/1.1 500 ');
        expect(target.errors).toEqual([]);
      } catch (error) {
        throw new Error(`After ${JSON.stringify(bytes.toString('latin1'))}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
  console.log(Object.fromEntries([...counts].sort(([a], [b]) => a - b)));
  expect(counts.get(200)).toBeGreaterThan(100);
  await until(() => target.server.stats().connections === 0 && target.server.stats().running === 0);
  expect(target.server.stats()).toMatchObject({ running: 0, inFlightBytes: 0 });
  for (const tenant of target.guard.tenants()) {
    expect(tenant).toMatchObject({ runningOperations: 0, inFlightBytes: 0 });
  }
  for (const { id } of pool.list()) pool.delete(id);
  expect(pool.stats()).toMatchObject({ parts: 0, retiredParts: 0, partBytes: 0 });
  expect(pool.check().errors).toEqual([]);
});
