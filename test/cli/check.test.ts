import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rounds } from '../support/seed.ts';
import { cenote, Scratch, Serving } from './support/cli.ts';
import { damagePart, fill, filled, run, withPool } from './support/pools.ts';

describe('cenote check', () => {
  it('finds a good pool sound', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    const text = await run(['check', scratch.join('pool')]);
    expect(text.code).toBe(0);
    expect(text.stdout.text).toContain('ok');
    expect(text.stdout.text).toContain('51 contexts, 101 parts');
    expect(text.stderr.text).toContain('1 pool checked');

    const json = await run(['check', scratch.join('pool'), '--json']);
    expect(json.code).toBe(0);
    const report = JSON.parse(json.stdout.text) as Record<string, unknown>;
    expect(report).toMatchObject({
      ok: true,
      version: 1,
      errors: [],
      ...filled,
      checksumsVerified: 101,
      inUse: false,
    });
    expect(report['pools']).toHaveLength(1);
  });

  it('takes a data folder with several pools, and adds up', async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.join('tenants'));
    for (const tenant of ['a', 'b']) await withPool(scratch.join('tenants', tenant), fill);
    const json = await run(['check', scratch.path, '--json']);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ ok: true, contexts: 102, parts: 202 });
    damagePart(scratch.join('tenants', 'b'), Buffer.from('Conversation 7'));
    const damaged = await run(['check', scratch.path, '--json']);
    expect(damaged.code).toBe(1);
    const report = JSON.parse(damaged.stdout.text) as {
      ok: boolean;
      errors: string[];
      pools: { ok: boolean }[];
    };
    expect(report.ok).toBe(false);
    expect(report.pools.map((pool) => pool.ok)).toEqual([true, false]);
    expect(report.errors.length).toBeGreaterThan(0);
    for (const error of report.errors) expect(error).toContain(scratch.join('tenants', 'b'));
  });

  it('finds a damaged part, also as a process', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    damagePart(scratch.join('pool'), Buffer.from('Conversation 7'));
    const { code, stdout, stderr } = await cenote(['check', scratch.join('pool')]);
    expect(code).toBe(1);
    expect(stdout).toContain('NOT OK');
    expect(stdout).toContain('chat-7');
    expect(stderr).toContain('1 not ok');
  });

  it('reports a pool that cannot be opened', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    const file = scratch.join('pool', 'segment-0000');
    const bytes = readFileSync(file);
    // Both superblocks, behind the magic word.
    for (const at of [100, 4196]) bytes[at] = (bytes[at] as number) ^ 0xff;
    writeFileSync(file, bytes);
    const { code, stdout } = await run(['check', scratch.join('pool'), '--json']);
    expect(code).toBe(1);
    const report = JSON.parse(stdout.text) as { ok: boolean; errors: string[] };
    expect(report.ok).toBe(false);
    expect(report.errors).toHaveLength(1);
    expect(report.errors[0]).toMatch(/^pool_corrupt: /);
  });

  it.each(['nowhere', 'empty', 'file'])('says that %s is no pool', async (name) => {
    using scratch = new Scratch();
    mkdirSync(scratch.join('empty'));
    writeFileSync(scratch.join('file'), '');
    const { code, stdout, stderr } = await run(['check', scratch.join(name)]);
    expect(code).toBe(1);
    expect(stdout.text).toBe('');
    expect(stderr.text).toMatch(/^error\[not_a_pool\]: /);
    expect(readdirSync(scratch.join('empty'))).toEqual([]);
  });

  it('checks what a killed server has left, before anyone repairs it', async () => {
    using scratch = new Scratch();
    for (let round = 0; round < rounds(3, 20); round++) {
      const server = await Serving.start(['--http', '0', '--data', scratch.path], {
        CENOTE_API_KEY: 'k',
      });
      let acknowledged = 0;
      const writing = (async () => {
        for (let index = 0; ; index++) {
          const path = `/v1/contexts/c${index % 200}/parts/p?type=u8`;
          await server.request('PUT', path, new Uint8Array((index * 997) % 60_000), 'k');
          acknowledged++;
        }
      })().catch(() => {});
      await expect.poll(() => acknowledged).toBeGreaterThan(20 * (round + 1));
      await server.stop('SIGKILL');
      await writing;
      const json = await cenote(['check', scratch.path, '--json']);
      expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, errors: [], inUse: false });
    }
  });

  it('checks a pool that a server has open', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.path]);
    const write = async (): Promise<void> => {
      for (let index = 0; index < 300; index++) {
        await server.request(
          'PUT',
          `/v1/contexts/c${index % 50}/parts/p?type=u8`,
          new Uint8Array(index * 10),
        );
      }
    };
    const writing = write();
    const { code, stdout } = await cenote(['check', scratch.path]);
    expect(stdout).toContain('in use by another process');
    expect(code).toBe(0);
    await writing;
    const json = await cenote(['check', scratch.path, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: true,
      contexts: 50,
      parts: 50,
      inUse: true,
    });
    await server.stop();
  });
});
