/** Every argument of every method, given what it is not: a coded error, and nothing has changed. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CenoteError } from '../../src/errors.ts';
import type { OpenOptions, Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';

const bytes = Uint8Array.of(1);

const junk: readonly unknown[] = [
  null,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 60,
  1n,
  Symbol('x'),
  '',
  'x'.repeat(600),
  '\ud800',
  {},
  [1],
  () => 0,
  Object.create(null),
  new Proxy({}, {}),
  true,
  new Date(0),
  Object.create(Uint8Array.prototype),
  new Proxy(new Uint8Array(4), {}),
  new DataView(new ArrayBuffer(4)),
  new ArrayBuffer(4),
];

let pool: Pool;

beforeAll(async () => {
  pool = await openPool({ capacityBytes: 4 * 2 ** 20 });
  pool.put('a', 'p', bytes);
});

afterAll(async () => {
  await pool.close();
});

/** Calls that take one argument as `any` would. */
type Call = (value: never) => unknown;

const calls: Record<string, Call> = {
  'put id': (v) => pool.put(v, 'p', bytes),
  'put part': (v) => pool.put('a', v, bytes),
  'put data': (v) => pool.put('z', 'q', typeof v === 'string' ? '\ud800' : v),
  'put kind': (v) => pool.put('a', 'p', bytes, { kind: v }),
  'put elementType': (v) => pool.put('a', 'p', bytes, { elementType: v }),
  'put ttlMs': (v) => pool.put('a', 'p', bytes, { ttlMs: v }),
  'put tags': (v) => pool.put('a', 'p', bytes, { tags: v }),
  'put tag': (v) => pool.put('a', 'p', bytes, { tags: [v] }),
  'put dependsOn': (v) => pool.put('a', 'p', bytes, { dependsOn: v }),
  'put dependency': (v) => pool.put('a', 'p', bytes, { dependsOn: [v] }),
  'put ifVersion': (v) => pool.put('a', 'p', bytes, { ifVersion: v }),
  'append id': (v) => pool.append(v, 'p', bytes),
  'append data': (v) => pool.append('a', 'p', typeof v === 'string' ? (1 as never) : v),
  'get id': (v) => pool.get(v, 'p'),
  'get part': (v) => pool.get('a', v),
  describe: (v) => pool.describe('a', v),
  context: (v) => pool.context(v),
  'delete id': (v) => pool.delete(v),
  'delete ifVersion': (v) => pool.delete('a', 'p', { ifVersion: v }),
  'list limit': (v) => pool.list({ limit: v }),
  'expire id': (v) => pool.expire(v, 5),
  'expire ttlMs': (v) => pool.expire('a', v),
  pin: (v) => pool.pin(v),
  unpin: (v) => pool.unpin(v),
  hint: (v) => pool.hint('a', { stop: v }),
  invalidate: (v) => pool.invalidate({ tag: v }),
  where: (v) => pool.where(v, 'p'),
  sweepExpired: (v) => pool.sweepExpired(v),
  setCapacity: (v) => pool.setCapacity(v),
  memoryMap: (v) => pool.memoryMap(v),
  'draft size': (v) => pool.beginPut('a', 'p', v),
  'draft chunk': (v) => pool.beginPut('a', 'p', 4).write(v),
};

const opens: Record<string, (value: never) => OpenOptions> = {
  path: (path) => ({ path, readOnly: true }),
  capacityBytes: (capacityBytes) => ({ capacityBytes }),
  segmentBytes: (segmentBytes) => ({ segmentBytes }),
  clock: (clock) => ({ clock }),
  handle: (handle) => ({ handle }),
  zeroOnFree: (zeroOnFree) => ({ zeroOnFree }),
};

describe('bad input', () => {
  for (const [name, call] of Object.entries(calls)) {
    it(`is refused: ${name}`, () => {
      const before = pool.get('a', 'p')?.version;
      for (const value of junk) expect(() => call(value as never)).toThrow(CenoteError);
      expect(pool.get('a', 'p')?.version).toBe(before);
    });
  }

  for (const [name, optionsOf] of Object.entries(opens)) {
    it(`opens nothing: ${name}`, async () => {
      for (const value of junk) {
        await expect(openPool(optionsOf(value as never))).rejects.toThrow(CenoteError);
      }
    });
  }

  it('is refused where options belong', async () => {
    const nothing = null as never;
    expect(() => pool.put('a', 'p', bytes, nothing)).toThrow(CenoteError);
    expect(() => pool.append('a', 'p', bytes, nothing)).toThrow(CenoteError);
    expect(() => pool.beginPut('a', 'p', 1, nothing)).toThrow(CenoteError);
    expect(() => pool.delete('a', 'p', nothing)).toThrow(CenoteError);
    expect(() => pool.list(nothing)).toThrow(CenoteError);
    expect(() => pool.hint('a', nothing)).toThrow(CenoteError);
    expect(() => pool.invalidate(nothing)).toThrow(CenoteError);
    await expect(pool.persist('a', nothing)).rejects.toThrow(CenoteError);
    await expect(pool.load('a', 'p', nothing)).rejects.toThrow(CenoteError);
    await expect(pool.snapshot(nothing)).rejects.toThrow(CenoteError);
    await expect(openPool(nothing)).rejects.toThrow(CenoteError);
  });

  it('is an array whose buffer went elsewhere', () => {
    const gone = new Uint8Array(8);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(() => pool.put('a', 'p', gone)).toThrow(/detached/);
    expect(() => pool.append('a', 'p', new Uint8Array(0))).not.toThrow();
  });
});
