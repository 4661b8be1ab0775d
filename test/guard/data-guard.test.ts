import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it, onTestFinished } from 'vitest';

import { DataFolder } from '../../src/guard/data-folder.ts';
import type { Caller } from '../../src/guard/api.ts';
import { keyRecord } from '../../src/guard/keyring.ts';
import { SharedUsage } from '../../src/guard/shared-usage.ts';
import { openPool } from '../../src/pool/open.ts';
import { until } from '../support/until.ts';
import { callerOf, codeOf, freshFolder, mib, open, testClock, using } from './support/guards.ts';

const share = { capacityBytes: 4 * mib };

describe('callers', () => {
  it('are one object per key, until the key is revoked', async () => {
    const test = await open();
    const { guard, admin } = test;
    await admin.putTenant('acme', share);
    const made = await admin.createKey({ tenant: 'acme', scopes: ['ctx:read', 'ctx:read'] });
    const caller = guard.identify(made.key);
    expect(caller).toBe(guard.identify(made.key, 'acme'));
    expect(guard.identify(made.key, 'default')).toBeUndefined();
    expect(guard.identify(`${made.key}x`)).toBeUndefined();
    expect(made.scopes).toEqual(['ctx:read']);
    expect(caller?.can('ctx:read')).toBe(true);
    expect(await codeOf(() => caller?.demand('ctx:write'))).toBe('forbidden');
    await admin.createKey({ tenant: 'acme', scopes: ['admin'] });
    expect(guard.identify(made.key)).toBe(caller);
    expect(admin.keys().map(({ id }) => id)).toContain(made.id);
    await admin.deleteKey(made.id);
    expect(caller?.isValid).toBe(false);
    expect(guard.identify(made.key)).toBeUndefined();
    expect(await codeOf(() => caller?.begin(0))).toBe('unauthorized');
    expect(await codeOf(() => admin.deleteKey(made.id))).toBe('not_found');
  });

  it('of a running operation keep their pool although their key is revoked', async () => {
    const test = await open();
    await test.admin.putTenant('acme', share);
    const { key, id } = await test.admin.createKey({ tenant: 'acme', scopes: ['ctx:write'] });
    const caller = test.guard.identify(key);
    caller?.begin(0);
    const pool = await caller?.open();
    await test.admin.deleteKey(id);
    pool?.put('c', 'p', 'x');
    caller?.end(0);
    expect(caller?.isValid).toBe(false);
  });

  it('make no pool of a tenant that another process has removed, before they hear of it', async () => {
    const test = await open();
    await test.admin.putTenant('acme', share);
    const { key } = await test.admin.createKey({ tenant: 'acme', scopes: ['ctx:write'] });
    const worker = SharedUsage.create(join(test.folder, 'control'));
    onTestFinished(() => worker.close());
    const { guard } = await open(test.folder, { worker });
    const caller = guard.identify(key) as Caller;
    await test.admin.deleteTenant('acme');
    expect(caller.isValid).toBe(true);
    expect(await codeOf(() => using(caller, () => {}))).toBe('unauthorized');
    expect(caller.isValid).toBe(false);
    expect(existsSync(join(test.folder, 'tenants', 'acme'))).toBe(false);
    await test.admin.putTenant('acme', share);
  });

  it('are anonymous where no key is asked for', async () => {
    const { guard } = await open(undefined, { withKeys: false });
    expect(guard.anonymous?.tenant).toBe('default');
    expect(guard.anonymous?.can('admin')).toBe(true);
    expect((await open()).guard.anonymous).toBeUndefined();
  });

  it('may have a key that is stored nowhere', async () => {
    const extraKeys = [keyRecord('preset', 0)];
    const test = await open(undefined, { extraKeys });
    expect(test.guard.identify('preset')?.can('admin')).toBe(true);
    await callerOf(test, 'default');
    const { keys } = await new DataFolder(test.folder).read();
    expect(keys?.length).toBe(1);
    expect(test.guard.identify('preset')?.isValid).toBe(true);
  });
});

describe('pools', () => {
  it('are opened when they are asked for, and closed when nobody uses them', async () => {
    const clock = testClock();
    const test = await open(undefined, { clock, idleMs: 1000 });
    await test.admin.putTenant('acme', share);
    const caller = await callerOf(test, 'acme');
    expect(caller.pool).toBeUndefined();
    expect(existsSync(join(test.folder, 'tenants', 'acme'))).toBe(false);
    await using(caller, (pool) => pool.put('c', 'p', 'text'));
    test.guard.maintain();
    const first = caller.pool;
    expect(first).toBeDefined();
    caller.begin(0);
    for (let i = 0; i < 3; i++) {
      clock.advance(5000);
      test.guard.maintain();
      expect(caller.pool).toBe(first);
    }
    caller.end(0);
    clock.advance(999);
    test.guard.maintain();
    expect(caller.pool).toBe(first);
    clock.advance(1);
    test.guard.maintain();
    expect(caller.pool).toBeUndefined();
    expect(test.guard.poolStats('acme')?.parts).toBe(1);
    expect(await using(caller, (pool) => pool.get('c', 'p')?.text())).toBe('text');
    expect(caller.pool).not.toBe(first);
    expect(test.guard.tenants()[0]).toMatchObject({ name: 'acme', isOpen: true, storedBytes: 64 });
    clock.advance(100_000);
    test.guard.maintain();
    // Whoever has the pool of default has the folder.
    expect(test.guard.tenants()[1]).toMatchObject({ name: 'default', isOpen: true });
    expect(await codeOf(() => open(test.folder))).toBe('pool_busy');
    expect(test.errors).toEqual([]);
  });

  it('are few at a time: the one that was idle longest goes', async () => {
    const clock = testClock();
    const test = await open(undefined, { clock, openMax: 3 });
    const names = ['a', 'b', 'c'];
    for (const name of names) await test.admin.putTenant(name, share);
    const callers = await Promise.all(names.map((name) => callerOf(test, name)));
    const [a, b, c] = callers as [(typeof callers)[0], (typeof callers)[0], (typeof callers)[0]];
    const openNow = (): string[] => names.filter((_, i) => callers[i]?.pool !== undefined);
    await using(a, (pool) => pool.put('k', 'p', 'v'));
    test.guard.maintain();
    clock.advance(10);
    await using(b, () => {});
    test.guard.maintain();
    expect(openNow()).toEqual(['a', 'b']);
    await using(c, () => {});
    expect(openNow()).toEqual(['b', 'c']);
    b.begin(0);
    c.begin(0);
    const held = test.guard.tenants()[0]?.storedBytes;
    expect(held).toBeGreaterThan(0);
    expect(await codeOf(() => using(a, () => {}))).toBe('overloaded');
    expect(openNow()).toEqual(['b', 'c']);
    expect(test.guard.tenants()[0]?.storedBytes).toBe(held);
    c.end(0);
    await using(a, () => {});
    expect(openNow()).toEqual(['a', 'b']);
    b.end(0);
    await Promise.all(
      callers.flatMap((caller) => [using(caller, () => {}), using(caller, () => {})]),
    );
    expect(openNow().length).toBe(2);
  });

  it('that cannot be opened are an error of their tenant alone', async () => {
    const test = await open();
    await test.admin.putTenant('acme', share);
    await mkdir(join(test.folder, 'tenants', 'acme'));
    await writeFile(join(test.folder, 'tenants', 'acme', 'notes.txt'), '');
    const acme = await callerOf(test, 'acme');
    expect(await codeOf(() => using(acme, () => {}))).toBe('not_a_pool');
    expect(await codeOf(() => using(acme, () => {}))).toBe('not_a_pool');
    expect(await using(await callerOf(test, 'default'), (pool) => pool.stats().parts)).toBe(0);
    expect(test.guard.tenants()[0]).toMatchObject({ runningOperations: 0 });
  });

  it('in shared memory last as long as the process, however idle', async () => {
    const clock = testClock();
    const test = await open(undefined, { clock, poolType: 'shared', idleMs: 1 });
    await test.admin.putTenant('acme', share);
    const caller = await callerOf(test, 'acme');
    await using(caller, (pool) => pool.put('c', 'p', 'x'));
    for (let i = 0; i < 3; i++) {
      test.guard.maintain();
      clock.advance(1000);
    }
    expect(caller.pool?.describe('c', 'p')).toBeDefined();
    await test.admin.putTenant('acme', { capacityBytes: 16 * mib });
    expect(caller.pool?.stats().capacityBytes).toBe(16 * mib);
  });

  it('lose what has expired', async () => {
    const test = await open();
    const caller = await callerOf(test, 'default');
    await using(caller, (pool) => pool.put('c', 'p', 'x', { ttlMs: 1 }));
    await until(() => {
      test.guard.maintain();
      return caller.pool?.stats().parts === 0;
    });
  });
});

describe('capacity', () => {
  it('is what all tenants share: default has what the others leave', async () => {
    const test = await open();
    const of = async (tenant: string): Promise<number> =>
      using(await callerOf(test, tenant), (pool) => pool.stats().capacityBytes);
    expect(await of('default')).toBe(32 * mib);
    const { created, tenant } = await test.admin.putTenant('acme', { capacityBytes: 8 * mib });
    expect(created).toBe(true);
    expect(tenant).toMatchObject({ name: 'acme', capacityBytes: 8 * mib, isOpen: false });
    expect(await of('acme')).toBe(8 * mib);
    expect(await of('default')).toBe(24 * mib);
    const again = await test.admin.putTenant('acme', { capacityBytes: 20 * mib });
    expect(again.created).toBe(false);
    expect(await of('acme')).toBe(20 * mib);
    expect(await of('default')).toBe(12 * mib);
    const tooMuch = { capacityBytes: 30 * mib };
    expect(await codeOf(() => test.admin.putTenant('acme', tooMuch))).toBe('budget_exceeded');
    expect(await codeOf(() => test.admin.putTenant('other', tooMuch))).toBe('budget_exceeded');
    expect(await of('acme')).toBe(20 * mib);
    expect(test.guard.tenants().length).toBe(2);
    await test.admin.deleteTenant('acme');
    expect(await of('default')).toBe(32 * mib);
  });

  it('is kept over restarts, and given anew', async () => {
    const folder = await freshFolder();
    const first = await open(folder, { capacityBytes: 16 * mib });
    await first.admin.putTenant('acme', share);
    await first.guard.close();
    const second = await open(folder);
    expect(second.guard.capacityBytes).toBe(16 * mib);
    expect(second.guard.tenants()).toMatchObject([
      { capacityBytes: 4 * mib },
      { capacityBytes: 12 * mib },
    ]);
    await second.guard.close();
    expect(await codeOf(() => open(folder, { capacityBytes: 7 * mib }))).toBe('budget_exceeded');
    const third = await open(folder, { capacityBytes: 8 * mib });
    expect(third.guard.poolStats('default')?.capacityBytes).toBe(4 * mib);
  });

  it('of a folder from before there were tenants is that of its pool', async () => {
    const folder = await freshFolder();
    const pool = await openPool({
      path: join(folder, 'tenants', 'default'),
      capacityBytes: 20 * mib,
    });
    pool.put('c', 'p', 'old');
    await pool.close();
    const test = await open(folder);
    expect(test.guard.capacityBytes).toBe(20 * mib);
    expect(await using(await callerOf(test, 'default'), (of) => of.get('c', 'p')?.text())).toBe(
      'old',
    );
  });

  it('stays as it was where what is pinned cannot give way', async () => {
    const test = await open();
    const caller = await callerOf(test, 'default');
    await using(caller, (pool) => {
      for (let i = 0; i < 7; i++)
        pool.put(`${i}`, 'p', Buffer.alloc(4 * mib - 100_000), { pinned: true });
    });
    const large = { capacityBytes: 16 * mib };
    expect(await codeOf(() => test.admin.putTenant('acme', large))).toBe('pool_full');
    expect(test.guard.tenants()).toMatchObject([{ name: 'default', capacityBytes: 32 * mib }]);
    expect(caller.pool?.stats()).toMatchObject({ capacityBytes: 32 * mib, parts: 7 });
    const { tenants } = await new DataFolder(test.folder).read();
    expect(tenants.tenants).toEqual([]);
  });
});

describe('quotas', () => {
  it('of bytes and contexts hold over restarts of the pool', async () => {
    const folder = await freshFolder();
    const quotas = { ...share, storedBytes: 100_000, contexts: 3 };
    for (let start = 0; start < 2; start++) {
      const test = await open(folder);
      await test.admin.putTenant('acme', quotas);
      const caller = await callerOf(test, 'acme');
      await using(caller, async (pool) => {
        if (start === 0) for (const id of ['a', 'b', 'c']) pool.put(id, 'p', Buffer.alloc(30_000));
        const before = test.guard.tenants()[0]?.storedBytes as number;
        expect(before).toBeGreaterThanOrEqual(90_000);
        expect(await codeOf(() => pool.put('a', 'q', Buffer.alloc(30_000)))).toBe(
          'budget_exceeded',
        );
        expect(await codeOf(() => pool.put('d', 'p', 'x'))).toBe('budget_exceeded');
        expect(pool.stats()).toMatchObject({ contexts: 3, parts: 3 });
        expect(test.guard.tenants()[0]).toMatchObject({ storedBytes: before });
      });
      expect(test.guard.tenants()[0]?.refusals.budget_exceeded).toBe(2);
      await test.guard.close();
    }
  });

  it('change while a server runs', async () => {
    const test = await open();
    await test.admin.putTenant('acme', { ...share, opsPerSecond: 0 });
    const caller = await callerOf(test, 'acme');
    expect(await codeOf(() => caller.begin(0))).toBe('rate_limited');
    await test.admin.putTenant('acme', share);
    await using(caller, () => {});
    await test.admin.putTenant('default', { inFlightBytes: 10 });
    const other = await callerOf(test, 'default');
    expect(await codeOf(() => other.begin(11))).toBe('budget_exceeded');
  });

  it.each([
    ['acme', {}],
    ['acme', { capacityBytes: 1 }],
    ['acme', { capacityBytes: 4.5 * mib + 0.5 }],
    ['acme', { ...share, contexts: -1 }],
    ['acme', { ...share, secrets: 1 }],
    ['default', share],
    ['', share],
    ['.', share],
    ['..', share],
    ['a/b', share],
    ['A', share],
    ['-a', share],
    ['a'.repeat(64), share],
    ['é', share],
  ])('refuse tenant %j with %j', async (name, quotas) => {
    const test = await open();
    expect(await codeOf(() => test.admin.putTenant(name, quotas))).toBe('invalid_argument');
    expect(test.guard.tenants().length).toBe(1);
  });
});

it('closes what it has opened when it cannot start', async () => {
  const folder = await freshFolder();
  await writeFile(join(folder, 'tenants.json'), '{"version":1,"tenants":[{}]}');
  expect(await codeOf(() => open(folder))).toBe('invalid_argument');
  const pool = await openPool({ path: join(folder, 'tenants', 'default'), capacityBytes: 4 * mib });
  onTestFinished(() => pool.close());
});
