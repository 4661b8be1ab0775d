import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cenote, Scratch, Serving, type Outcome } from './support/cli.ts';

const partPath = '/v1/contexts/chat/parts/text';

async function data(words: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await cenote([...words, '--json']);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

function refusal({ code, stdout, stderr }: Outcome): string {
  expect(stdout).toBe('');
  return `${code} ${/^error\[(\w+)\]/.exec(stderr)?.[1] ?? stderr}`;
}

describe('cenote tenants and cenote keys', () => {
  it('are taken by a server that is running', async () => {
    using scratch = new Scratch();
    const folder = ['--data', scratch.join('data')];
    const server = await Serving.start(['--http', '0', '--capacity', '64m', ...folder]);
    expect(await data(['tenants', ...folder])).toEqual([
      { name: 'default', createdAtMs: 0, capacityBytes: 64 * 2 ** 20, quotas: {} },
    ]);
    const set = ['tenants', 'set', 'acme', '--capacity', '16m', '--contexts', '1', ...folder];
    expect(await data(set)).toMatchObject({ name: 'acme', created: true });
    const { key, id } = (await data(['keys', 'create', '--tenant', 'acme', ...folder])) as {
      key: string;
      id: string;
    };
    const status = async (method: string, path: string, body?: string): Promise<number> =>
      (await server.request(method, path, body, key)).status;
    await expect.poll(() => status('GET', partPath), { timeout: 20_000 }).toBe(404);
    expect(await status('PUT', partPath, 'theirs')).toBe(201);
    expect(await status('PUT', '/v1/contexts/more/parts/text', 'x')).toBe(429);
    expect((await server.request('GET', partPath)).status).toBe(404);
    expect(statSync(scratch.join('data', 'tenants', 'acme')).mode & 0o777).toBe(0o700);
    expect(await data(['tenants', ...folder])).toMatchObject([
      { name: 'default', capacityBytes: 48 * 2 ** 20 },
      { name: 'acme', capacityBytes: 16 * 2 ** 20, quotas: { contexts: 1 } },
    ]);
    expect(await data(['check', scratch.join('data')])).toMatchObject({ ok: true });

    const admin = await server.request('GET', '/v1/admin/tenants');
    expect(await admin.json()).toMatchObject({
      tenants: [{ name: 'acme', isOpen: true, storedBytes: 64 }, { name: 'default' }],
    });
    expect(await status('GET', '/v1/admin/tenants')).toBe(403);

    expect(await data(['keys', 'delete', id, ...folder])).toEqual({ deleted: 1 });
    await expect.poll(() => status('GET', partPath), { timeout: 20_000 }).toBe(401);
    expect(await data(['tenants', 'delete', 'acme', '--yes', ...folder])).toEqual({ deleted: 1 });
    expect(existsSync(scratch.join('data', 'tenants', 'acme'))).toBe(false);
    expect((await server.stop()).code).toBe(0);
  });

  it('outlive the server, and lie in private files without a key', async () => {
    using scratch = new Scratch();
    const folder = ['--data', scratch.join('data')];
    await data(['tenants', 'set', 'acme', '--capacity', '8MiB', ...folder]);
    const words = ['keys', 'create', '--tenant', 'acme', '--scopes', 'ctx:write'];
    const made = (await data([...words, '--label', 'batch jobs', ...folder])) as { key: string };
    for (const name of ['keys.json', 'tenants.json']) {
      expect(statSync(scratch.join('data', name)).mode & 0o777).toBe(0o600);
      expect(readFileSync(scratch.join('data', name), 'utf8')).not.toContain(made.key.slice(3));
    }
    expect(await data(['keys', '--tenant', 'acme', ...folder])).toMatchObject([
      { tenant: 'acme', scopes: ['ctx:write'], label: 'batch jobs' },
    ]);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const server = await Serving.start(['--http', '0', '--capacity', '32m', ...folder]);
      expect(server.banner).toContain('1 more tenant');
      const put = await server.request('PUT', partPath, 'x', made.key);
      expect(put.status).toBe(signal === 'SIGTERM' ? 201 : 200);
      expect((await server.request('GET', partPath, undefined, made.key)).status).toBe(403);
      await server.stop(signal);
    }
  });

  it('print tables, and the new key alone on stdout', async () => {
    using scratch = new Scratch();
    const folder = ['--data', scratch.join('data')];
    const set = await cenote([
      'tenants',
      'set',
      'acme',
      '--capacity',
      '8m',
      '--ops',
      '50',
      ...folder,
    ]);
    expect(set).toEqual({ code: 0, stdout: '', stderr: 'tenant acme is made\n' });
    const key = await cenote(['keys', 'create', ...folder]);
    expect(key.stdout).toMatch(/^cn_[\w-]{43}\n$/);
    expect(key.stderr).toMatch(/^key [0-9a-f]{12} of tenant default; keep it/);
    const tenants = await cenote(['tenants', ...folder]);
    expect(tenants.stdout).toMatch(/^tenant +capacity +stored +contexts +in-flight +ops\n/);
    expect(tenants.stdout).toMatch(/\nacme +8\.00 MiB +- +- +- +50\n/);
    const keys = await cenote(['keys', ...folder]);
    expect(keys.stdout).toMatch(/\n[0-9a-f]{12} +default +ctx:read,ctx:write,ctx:delete /);
  });

  it('refuse what cannot be', async () => {
    using scratch = new Scratch();
    const folder = ['--data', scratch.join('data')];
    const run = async (...words: string[]): Promise<string> =>
      refusal(await cenote([...words, ...folder]));
    expect(await run('tenants')).toBe('1 not_a_pool');
    expect(await run('keys', 'delete', 'x')).toBe('1 not_a_pool');
    expect(await run('tenants', 'set', 'acme')).toBe('2 invalid_argument');
    expect(await run('tenants', 'set', '../up', '--capacity', '8m')).toBe('2 invalid_argument');
    expect(await run('tenants', 'set', 'acme', '--capacity', '1m')).toBe('2 invalid_argument');
    expect(await run('tenants', 'set', 'default', '--capacity', '8m')).toBe('2 invalid_argument');
    expect(await run('tenants', 'remove', 'acme')).toBe('2 invalid_argument');
    expect(await run('tenants', 'set')).toBe('2 invalid_argument');
    expect(await run('keys', 'create', '--tenant', 'acme')).toBe('1 not_found');
    expect(await run('keys', 'create', '--scopes', 'ctx:all')).toBe('2 invalid_argument');
    await data(['tenants', 'set', 'acme', '--capacity', '8m', ...folder]);
    expect(await run('tenants', 'delete', 'acme')).toBe('2 invalid_argument');
    expect(await run('tenants', 'delete', 'other', '--yes')).toBe('1 not_found');
    expect(await run('keys', 'delete', 'x')).toBe('1 not_found');
    const tooSmall = await cenote(['serve', '--http', '0', '--capacity', '10m', ...folder]);
    expect(refusal(tooSmall)).toBe('1 budget_exceeded');
  });
});
