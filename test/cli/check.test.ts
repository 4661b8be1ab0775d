import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { rounds, seed } from '../support/seed.ts';
import { cenote, program, Scratch, Serving, shell } from './support/cli.ts';
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
      version: 2,
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

  it('passes over what an interrupted restore has left among the tenants', async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.join('tenants', '.default.partial-1'), { recursive: true });
    expect((await run(['check', scratch.path])).stderr.text).toContain('holds no pool yet');
    await withPool(scratch.join('tenants', 'default'), fill);
    const json = await run(['check', scratch.path, '--json']);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ ok: true, parts: 101 });
  });

  it('says that a data folder whose tenants are a file is no pool', async () => {
    using scratch = new Scratch();
    writeFileSync(scratch.join('tenants'), '');
    const { code, stderr } = await run(['check', scratch.path]);
    expect(code).toBe(1);
    expect(stderr.text).toMatch(/^error\[not_a_pool\]: .*tenants is a file/);
  });

  it('says why it cannot read the tenants', async (context) => {
    using scratch = new Scratch();
    const tenants = scratch.join('tenants');
    mkdirSync(tenants, { mode: 0o000 });
    chmodSync(scratch.path, 0o755);
    // Root may read everything: it becomes somebody else.
    const isRoot = process.getuid?.() === 0;
    const as = isRoot ? 'setpriv --reuid 65534 --regid 65534 --clear-groups ' : '';
    if ((await shell(`${as}test -r "${program}"`)).code !== 0)
      context.skip('only root may read this clone: clone to a folder that others may read');
    const line = `${as}"${process.execPath}" "${program}" check "${scratch.path}"`;
    const { code, stderr } = await shell(line);
    chmodSync(tenants, 0o700);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error\[io_failed\]: .*EACCES/m);
  });

  it('says when its output cannot be written', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    const line = `"${process.execPath}" "${program}" check "${scratch.join('pool')}"`;
    const full = await shell(`${line} > /dev/full`);
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(/^error\[io_failed\]: .*ENOSPC/m);
    // Messages are for whoever reads them: the verdict does not depend on it.
    expect(await shell(`${line} 2> /dev/full`)).toMatchObject({ code: 0 });
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

  it('finds every acknowledged write of a killed server, before and after its next start', async () => {
    using scratch = new Scratch();
    const random = new Random(seed());
    const words = ['--http', '0', '--data', scratch.path];
    const key = { CENOTE_API_KEY: 'k' };
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < rounds(4, 20); round++) {
      const server = await Serving.start(words, key);
      const killAfter = 1 + random.below(400);
      const inFlight = await writeUntilKilled(server, random, killAfter, acknowledged);
      const json = await cenote(['check', scratch.path, '--json']);
      expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, errors: [], inUse: false });

      const next = await Serving.start(words, key);
      for (const [path, sizeBytes] of acknowledged) {
        const answer = await next.request('HEAD', path, undefined, 'k');
        const found = Number(answer.headers.get('content-length'));
        // The write that was cut may have happened or not: it is the new version or the old one.
        if (path === inFlight?.path && found === inFlight.sizeBytes) acknowledged.set(path, found);
        else expect({ path, found }).toEqual({ path, found: sizeBytes });
      }
      await next.stop();
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

interface Write {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Writes parts of random sizes, one after the other, and kills the server in the middle. @returns the write that was cut */
async function writeUntilKilled(
  server: Serving,
  random: Random,
  killAfter: number,
  acknowledged: Map<string, number>,
): Promise<Write | undefined> {
  for (let count = 1; ; count++) {
    const path = `/v1/contexts/c${random.below(50)}/parts/p`;
    const sizeBytes = random.below(100_000);
    const writing = server.request('PUT', `${path}?type=u8`, new Uint8Array(sizeBytes), 'k');
    if (count > killAfter) void server.stop('SIGKILL');
    const status = await writing.then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 0) {
      await server.ended;
      return { path, sizeBytes };
    }
    expect([200, 201]).toContain(status);
    acknowledged.set(path, sizeBytes);
  }
}
