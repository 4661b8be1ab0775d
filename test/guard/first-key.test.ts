import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { dataLayout, Keyring, keyRecord, loadOrCreateKey } from '../../src/server/index.ts';
import { temporaryFolder } from '../server/support/serve.ts';

const clock = { nowMs: () => 1_700_000_000_000 };
const env = {};

describe('loadOrCreateKey', () => {
  it('makes a key once, and stores only its hash', async () => {
    const folder = join(await temporaryFolder(), 'data');
    const first = await loadOrCreateKey(folder, { env, clock });
    expect(first.newKey).toMatch(/^cn_[\w-]{43}$/);
    expect(first.keyring.tenantOf(first.newKey as string)).toBe('default');
    const { keysFile } = dataLayout(folder);
    const text = await readFile(keysFile, 'utf8');
    expect(text).not.toContain(first.newKey?.slice(3));
    expect(JSON.parse(text)).toEqual({
      version: 2,
      keys: [keyRecord(first.newKey as string, clock.nowMs())],
    });
    expect((await stat(keysFile)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await readdir(folder)).toEqual(['keys.json']);
    const second = await loadOrCreateKey(folder, { env });
    expect(second.newKey).toBeUndefined();
    expect(second.keyring.tenantOf(first.newKey as string)).toBe('default');
    expect(second.keyring.tenantOf('cn_other')).toBeUndefined();
    expect(await readFile(keysFile, 'utf8')).toBe(text);
  });

  it('agrees on one key when several processes start at once', async () => {
    const folder = await temporaryFolder();
    const starts = await Promise.all(
      Array.from({ length: 8 }, () => loadOrCreateKey(folder, { env })),
    );
    const made = starts.flatMap(({ newKey }) => newKey ?? []);
    expect(made.length).toBe(1);
    for (const { keyring } of starts) expect(keyring.tenantOf(made[0] as string)).toBe('default');
    expect(await readdir(folder)).toEqual(['keys.json']);
  });

  it('accepts CENOTE_API_KEY while it is set, and stores nothing of it', async () => {
    const folder = await temporaryFolder();
    const preset = await loadOrCreateKey(folder, { env: { CENOTE_API_KEY: 'my-own-key' } });
    expect(preset.newKey).toBeUndefined();
    expect(preset.keyring.tenantOf('my-own-key')).toBe('default');
    expect(await readdir(folder)).toEqual([]);
    const { newKey } = await loadOrCreateKey(folder, { env: { CENOTE_API_KEY: '' } });
    expect(newKey).toBeDefined();
    const both = await loadOrCreateKey(folder, { env: { CENOTE_API_KEY: 'my-own-key' } });
    expect(both.keyring.tenantOf('my-own-key')).toBe('default');
    expect(both.keyring.tenantOf(newKey as string)).toBe('default');
    expect((await loadOrCreateKey(folder, { env })).keyring.tenantOf('my-own-key')).toBeUndefined();
  });

  it.each([' ', 'two words', 'schlüssel', 'x'.repeat(513), 'a\n'])(
    'refuses the preset key %j',
    async (preset) => {
      const folder = await temporaryFolder();
      const loading = loadOrCreateKey(folder, { env: { CENOTE_API_KEY: preset } });
      await expect(loading).rejects.toMatchObject({ code: 'invalid_argument' });
    },
  );

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{"version":3,"keys":[]}',
    '{"version":2,"keys":[{"tenant":"default","sha256":"SHA","createdAtMs":1}]}',
    '{"version":2,"keys":[{"tenant":"default","sha256":"SHA","scopes":[],"createdAtMs":1}]}',
    '{"version":2,"keys":[{"tenant":"default","sha256":"SHA","scopes":["all"],"createdAtMs":1}]}',
    '{"version":2,"keys":[{"tenant":"../x","sha256":"SHA","scopes":["admin"],"createdAtMs":1}]}',
    '{"version":2,"keys":[{"tenant":"a","sha256":"SHA","scopes":["admin"],"label":1,"createdAtMs":1}]}',
    '{"version":1}',
    '{"version":1,"keys":[null]}',
    '{"version":1,"keys":[{"tenant":"default","sha256":"abc","createdAtMs":1}]}',
    '{"version":1,"keys":[{"tenant":7,"sha256":"abc","createdAtMs":1}]}',
    '{"version":1,"keys":[{"tenant":"default","sha256":"abc"}]}',
  ])('refuses the key file %j and leaves it alone', async (text) => {
    const folder = await temporaryFolder();
    const { keysFile } = dataLayout(folder);
    const content = text.replace('SHA', 'ab'.repeat(32));
    await writeFile(keysFile, content);
    const loading = loadOrCreateKey(folder, { env });
    await expect(loading).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await readFile(keysFile, 'utf8')).toBe(content);
  });

  it('lets keys of version 1, which knew no scopes, do everything', async () => {
    const folder = await temporaryFolder();
    const { sha256 } = keyRecord('old', 0);
    const text = JSON.stringify({
      version: 1,
      keys: [{ tenant: 'default', sha256, createdAtMs: 5 }],
    });
    await writeFile(dataLayout(folder).keysFile, text);
    const { keyring, newKey } = await loadOrCreateKey(folder, { env });
    expect(newKey).toBeUndefined();
    expect(keyring.find('old')?.scopes).toEqual(['ctx:read', 'ctx:write', 'ctx:delete', 'admin']);
  });

  it('says which file it cannot read or write', async () => {
    const folder = await temporaryFolder();
    await mkdir(dataLayout(folder).keysFile);
    await expect(loadOrCreateKey(folder, { env })).rejects.toMatchObject({
      code: 'io_failed',
      message: expect.stringContaining('keys.json') as string,
    });
    const file = join(folder, 'file');
    await writeFile(file, '');
    await chmod(file, 0o600);
    await expect(loadOrCreateKey(file, { env })).rejects.toMatchObject({ code: 'io_failed' });
  });
});

it('lays out the folder', () => {
  expect(dataLayout('/srv/data')).toEqual({
    folder: '/srv/data',
    keysFile: '/srv/data/keys.json',
    controlFile: '/srv/data/control',
    tenantsFile: '/srv/data/tenants.json',
    lockFile: '/srv/data/.lock',
    engineFolder: '/srv/data/engine',
    engineSaltFile: '/srv/data/engine.salt',
    onnxFolder: '/srv/data/onnx',
    tenantsFolder: '/srv/data/tenants',
    poolFolder: '/srv/data/tenants/default',
  });
});

it('knows the tenant of a key', () => {
  const keyring = new Keyring([keyRecord('a', 0), keyRecord('b', 0, { tenant: 'acme' })]);
  expect(keyring.tenantOf('a')).toBe('default');
  expect(keyring.tenantOf('b')).toBe('acme');
  expect(keyring.tenantOf('c')).toBeUndefined();
  expect(keyring.tenantOf('')).toBeUndefined();
  expect(keyring.tenantOf('a'.repeat(513))).toBeUndefined();
  expect(() => new Keyring([{ tenant: 't', sha256: 'ABC', scopes: [], createdAtMs: 0 }])).toThrow(
    /SHA-256/,
  );
});
