/** Tenants that go, and changes by other processes. */

import { readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { DataFolder } from '../../src/guard/data-folder.ts';
import * as edits from '../../src/guard/edits.ts';
import { until } from '../support/until.ts';
import { callerOf, codeOf, freshFolder, mib, open, using } from './support/guards.ts';

const share = { capacityBytes: 4 * mib };

describe('a tenant that is removed', () => {
  it('leaves nothing: no keys, no pool, no folder', async () => {
    const test = await open();
    await test.admin.putTenant('acme', share);
    const caller = await callerOf(test, 'acme');
    await using(caller, (pool) => pool.put('c', 'p', 'secret'));
    await test.admin.deleteTenant('acme');
    expect(caller.isValid).toBe(false);
    expect(await codeOf(() => caller.begin(0))).toBe('unauthorized');
    expect(await codeOf(() => caller.open())).toBe('unauthorized');
    expect(readdirSync(join(test.folder, 'tenants'))).toEqual(['default']);
    expect(test.admin.keys()).toEqual([]);
    expect(await codeOf(() => test.admin.deleteTenant('acme'))).toBe('not_found');
    expect(await codeOf(() => test.admin.deleteTenant('default'))).toBe('invalid_argument');
    const noKey = (): unknown => test.admin.createKey({ tenant: 'acme', scopes: ['ctx:read'] });
    expect(await codeOf(noKey)).toBe('not_found');
    await test.admin.putTenant('acme', share);
    const successor = await callerOf(test, 'acme');
    expect(await using(successor, (pool) => pool.stats().parts)).toBe(0);
  });

  it('ends what runs first', async () => {
    const test = await open();
    await test.admin.putTenant('acme', share);
    const caller = await callerOf(test, 'acme');
    caller.begin(0);
    const pool = await caller.open();
    await test.admin.deleteTenant('acme');
    await test.admin.putTenant('acme', share);
    const successor = await callerOf(test, 'acme');
    pool.put('c', 'p', 'late');
    expect(await using(successor, (of) => of.get('c', 'p'))).toBeUndefined();
    test.guard.maintain();
    expect(pool.stats().parts).toBe(1);
    caller.end(0);
    test.guard.maintain();
    expect(await codeOf(() => pool.stats())).toBe('pool_closed');
    expect(readdirSync(join(test.folder, 'tenants')).sort()).toEqual(['acme', 'default']);
    expect(test.errors).toEqual([]);
  });

  it('while its pool is being opened gets none', async () => {
    const test = await open(undefined, { openMax: 2 });
    for (const name of ['acme', 'other']) await test.admin.putTenant(name, share);
    await using(await callerOf(test, 'other'), () => {});
    const caller = await callerOf(test, 'acme');
    const opening = codeOf(() => using(caller, () => {}));
    await Promise.all([opening, test.admin.deleteTenant('acme')]);
    expect(readdirSync(join(test.folder, 'tenants')).sort()).toEqual(['default', 'other']);
  });

  it('whose folder was not removed in time has it removed at the next start', async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, 'tenants', '.removed-acme-1'), { recursive: true });
    const test = await open(folder);
    expect(readdirSync(join(folder, 'tenants'))).toEqual(['default']);
    await mkdir(join(folder, 'tenants', 'other'));
    // Nobody inherits what is there.
    expect(await codeOf(() => test.admin.putTenant('other', share))).toBe('invalid_argument');
  });
});

describe('changes from outside', () => {
  it('are taken when a server looks', async () => {
    const test = await open();
    const outside = new DataFolder(test.folder);
    await edits.putTenant(outside, 'acme', share);
    const { key, id } = await edits.createKey(outside, { tenant: 'acme', scopes: ['ctx:read'] });
    expect(test.guard.identify(key)).toBeUndefined();
    test.guard.maintain();
    await until(() => test.guard.identify(key) !== undefined);
    const caller = test.guard.identify(key);
    await edits.deleteKey(outside, id);
    test.guard.maintain();
    await until(() => caller?.isValid === false);
    expect(test.errors).toEqual([]);
  });

  it('that need room which cannot be made are not taken', async () => {
    const test = await open();
    await using(await callerOf(test, 'default'), (pool) => {
      for (let i = 0; i < 7; i++)
        pool.put(`${i}`, 'p', Buffer.alloc(4 * mib - 100_000), { pinned: true });
    });
    await edits.putTenant(new DataFolder(test.folder), 'acme', { capacityBytes: 16 * mib });
    test.guard.maintain();
    await until(() => test.errors.length > 0);
    expect(test.errors).toMatchObject([{ code: 'pool_full' }]);
    expect(test.guard.tenants()).toMatchObject([{ name: 'default', capacityBytes: 32 * mib }]);
  });

  it('that cannot be taken are told once, and what was stays', async () => {
    const test = await open();
    const { key } = await test.admin.createKey({ tenant: 'default', scopes: ['admin'] });
    const { keysFile } = new DataFolder(test.folder).layout;
    await writeFile(keysFile, '{"version":2');
    test.guard.maintain();
    await until(() => test.errors.length > 0);
    for (let i = 0; i < 5; i++) {
      test.guard.maintain();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(test.errors).toMatchObject([{ code: 'invalid_argument' }]);
    expect(test.guard.identify(key)?.isValid).toBe(true);
  });

  it('and from inside are all kept, however many come at once', async () => {
    const test = await open();
    const outside = new DataFolder(test.folder);
    const made = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        i % 2 === 0
          ? edits.createKey(outside, { tenant: 'default', scopes: ['ctx:read'] })
          : test.admin.createKey({ tenant: 'default', scopes: ['ctx:read'] }),
      ),
    );
    await test.guard.reload();
    for (const { key } of made) expect(test.guard.identify(key)?.isValid).toBe(true);
    expect(readdirSync(test.folder).sort()).toEqual(['keys.json', 'tenants', 'tenants.json']);
  });

  it('of two processes that create and delete never show half of it', async () => {
    const test = await open();
    const busy = Array.from({ length: 6 }, async (_, i) => {
      for (let round = 0; round < 4; round++) {
        await test.admin.putTenant(`t${i}`, share);
        await test.admin.createKey({ tenant: `t${i}`, scopes: ['ctx:read'] });
        await test.admin.deleteTenant(`t${i}`);
      }
    });
    await Promise.all(busy);
    expect(test.guard.tenants().map(({ name }) => name)).toEqual(['default']);
    expect(test.admin.keys()).toEqual([]);
  });
});
