/** Over HTTP, a pool with a disk tier: what is answered as durable is, and parts on the disk are found as if they were in memory. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import { evictAll } from '../tier/support/pools.ts';
import { codeOf } from './support/client.ts';
import { serve, temporaryFolder, type TestServer } from './support/serve.ts';

const path = '/v1/contexts/c/parts/p';
const mib = 2 ** 20;

async function serveDisk(folder: string): Promise<TestServer> {
  return serve({
    pool: {
      path: join(folder, 'pool'),
      capacityBytes: 8 * mib,
      tiers: { disk: { reserveBytes: 0 } },
    },
  });
}

/** What another machine finds that has only the disk. */
async function onDisk(folder: string, pool: TestServer['pool']): Promise<string | undefined> {
  await pool.close();
  await rm(join(folder, 'pool', 'segment-0000'));
  await using again = await openPool({
    path: join(folder, 'pool'),
    capacityBytes: 8 * mib,
    tiers: { disk: {} },
  });
  using lease = await again.load('c', 'p');
  return lease?.text();
}

it('answers a write with durability=disk when it is on the disk', async () => {
  const folder = await temporaryFolder();
  const { call, pool } = await serveDisk(folder);
  expect((await call('PUT', `${path}?durability=disk`, { body: 'one' })).status).toBe(201);
  expect((await call('POST', `${path}/append?durability=disk`, { body: ', two' })).status).toBe(
    200,
  );
  expect((await call('PUT', `${path}?durability=memory`, { body: 'three' })).status).toBe(200);
  expect(await onDisk(folder, pool)).toBe('one, two');
});

it('answers a deletion with durability=disk when the disk has forgotten the part', async () => {
  const folder = await temporaryFolder();
  const { call, pool } = await serveDisk(folder);
  await call('PUT', `${path}?durability=disk`, { body: 'one' });
  expect((await call('DELETE', `${path}?durability=disk`)).json()).toEqual({ deleted: 1 });
  expect(await onDisk(folder, pool)).toBeUndefined();
});

it('refuses durability=disk before anything is done where there is no disk', async () => {
  const { call, pool } = await serve();
  const refused = await call('PUT', `${path}?durability=disk`, { body: 'one' });
  expect(codeOf(refused)).toBe('tier_unavailable 501');
  expect(pool.has('c')).toBe(false);
  expect(codeOf(await call('PUT', `${path}?durability=tape`, { body: 'one' }))).toBe(
    'invalid_argument 400',
  );
});

it('finds parts that are on the disk only', async () => {
  const { call, pool } = await serveDisk(await temporaryFolder());
  const written = await call('PUT', `${path}?type=utf8&durability=disk`, { body: 'cold' });
  const etag = String(written.headers.etag);
  const cold = (): void => {
    evictAll(pool);
    expect(pool.where('c', 'p')).toBe('disk');
  };
  cold();
  const head = await call('HEAD', path);
  expect(head.headers).toMatchObject({ etag, 'content-length': '4', 'x-cenote-type': 'utf8' });
  cold();
  expect(String((await call('GET', path)).body)).toBe('cold');
  cold();
  const conditional = { headers: { 'if-none-match': '*' }, body: 'new' };
  expect(codeOf(await call('PUT', path, conditional))).toBe('version_conflict 412');
  cold();
  expect((await call('POST', `${path}/append?durability=disk`, { body: '!' })).status).toBe(200);
  cold();
  expect((await call('PUT', `${path}?durability=disk`, { body: 'warm' })).status).toBe(200);
  cold();
  expect(codeOf(await call('DELETE', path, { headers: { 'if-match': '"0"' } }))).toBe(
    'version_conflict 412',
  );
  cold();
  expect((await call('DELETE', path)).json()).toEqual({ deleted: 1 });
  expect(codeOf(await call('GET', path))).toBe('not_found 404');
});

it('tells of the disk in its metrics', async () => {
  const { call } = await serveDisk(await temporaryFolder());
  await call('PUT', `${path}?durability=disk`, { body: 'one' });
  const page = String((await call('GET', '/metrics')).body);
  expect(page).toContain('cenote_disk_moves_total{tenant="default",reason="persisted"} 1');
  expect(page).toMatch(/cenote_disk_used_bytes\{tenant="default"\} [1-9]/);
});

it('finds parts that are on the disk only in a batch', async () => {
  const { call, pool } = await serveDisk(await temporaryFolder());
  await call('PUT', `${path}?durability=disk`, { body: 'cold' });
  evictAll(pool);
  const body = JSON.stringify({
    parts: [
      { id: 'c', part: 'p' },
      { id: 'c', part: 'q' },
    ],
  });
  const headers = { 'content-type': 'application/json' };
  const answer = String((await call('POST', '/v1/batch/get', { headers, body })).body);
  expect(answer).toMatch(/^\{[^\n]*"status":200[^\n]*\}\ncold\{[^\n]*"status":404/);
});
