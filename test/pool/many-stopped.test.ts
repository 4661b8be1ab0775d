/** An owner in another process that is stopped, and one that is killed, in the middle of a change or of a read. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { until } from '../support/until.ts';
import { expectSound, filled, freshPath, mib, pool, read, refuses } from './support/pools.ts';

const script = fileURLToPath(new URL('fixtures/stopper.mjs', import.meta.url));

let path: string;
let of: Pool;

beforeEach(async () => {
  path = freshPath();
  of = await pool({ path, capacityBytes: 8 * mib, lockWaitMs: 20 });
  for (const part of ['p', 'q', 'r']) of.put('victim', part, filled(5000, 1), { tags: ['t'] });
  of.put('other', 'p', filled(3000, 2));
});

interface Stopped {
  readonly child: ChildProcess;
  readonly said: string[];
}

/** Another owner, which has stopped. */
async function stopped(what: 'write' | 'read'): Promise<Stopped> {
  const child = spawn(process.execPath, [script, path, what], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.push(...text.split('\n').filter((line) => line !== ''));
  });
  await until(() => said.includes('ready'));
  return { child, said };
}

/** Changes that all take the pen. */
const changes: readonly ((of: Pool) => unknown)[] = [
  (any) => any.put('other', 'p', filled(3000, 3)),
  (any) => any.append('other', 'p', filled(10, 3)),
  (any) => any.delete('other'),
  (any) => any.expire('other', 1000),
  (any) => any.sweepExpired(),
  (any) => any.invalidate({ tag: 't' }),
];

it('an owner that is stopped with the pen makes others busy, and they read on', async () => {
  const { child, said } = await stopped('write');
  for (const change of changes) refuses(() => change(of), 'pool_busy');
  expect(read(of, 'other', 'p')).toEqual(Buffer.alloc(3000, 2));
  expect(of.describe('other', 'p')?.sizeBytes).toBe(3000);
  expect(of.list({ prefix: 'other' })).toHaveLength(1);
  expect(of.has('other')).toBe(true);
  expect(of.stats().ownersAlive).toBe(2);
  child.kill('SIGCONT');
  await until(() => said.includes('done'));
  of.put('other', 'p', filled(3000, 3));
  expect(of.has('victim')).toBe(false);
  expectSound(of);
});

it('an owner that dies with the pen leaves it to the next, who ends what it had begun', async () => {
  const { child } = await stopped('write');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(read(of, 'other', 'p')).toEqual(Buffer.alloc(3000, 2));
  of.put('other', 'p', filled(3000, 3));
  // Its intent was written: the context goes as a whole.
  expect(of.has('victim')).toBe(false);
  expect(of.context('other')?.partCount).toBe(1);
  expect(of.stats()).toMatchObject({ parts: 1, contexts: 1, retiredParts: 0, ownersAlive: 1 });
  expectSound(of);
});

it('a reader that is stopped holds what it leased, and nothing else', async () => {
  const { child, said } = await stopped('read');
  of.put('victim', 'p', filled(5000, 9));
  expect(of.delete('victim')).toBe(3);
  expect(of.stats().retiredParts).toBe(1);
  for (let i = 0; i < 400; i++) of.put(`c-${i}`, 'p', filled(30_000, i));
  expect(of.stats().operations.evictions).toBeGreaterThan(0);
  expect(of.stats().retiredParts).toBe(1);
  child.kill('SIGCONT');
  await until(() => said.includes('done'));
  expect(said).toEqual(['ready', 'done']);
  of.sweepExpired();
  expect(of.stats().retiredParts).toBe(0);
  expectSound(of);
});

it('a reader that dies holds nothing', async () => {
  const { child } = await stopped('read');
  of.delete('victim');
  expect(of.stats().retiredParts).toBe(1);
  child.kill('SIGKILL');
  await once(child, 'exit');
  of.sweepExpired();
  expect(of.stats()).toMatchObject({ retiredParts: 0, ownersAlive: 1 });
  expectSound(of);
});
