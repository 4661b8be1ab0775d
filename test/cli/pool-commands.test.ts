import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { rounds } from '../support/seed.ts';
import { cenote, Scratch, Serving } from './support/cli.ts';
import { testIo, type TestIo } from './support/text-io.ts';

const mib = 2 ** 20;

async function withPool(path: string, use: (pool: Pool) => void): Promise<void> {
  const pool = await openPool({ path, capacityBytes: 64 * mib });
  try {
    use(pool);
  } finally {
    await pool.close();
  }
}

function fill(pool: Pool): void {
  for (let index = 0; index < 50; index++) {
    pool.put(
      `chat-${index}`,
      'tokens',
      Uint32Array.from({ length: 200 }, (_, at) => at * index),
    );
    pool.put(`chat-${index}`, 'about', `Conversation ${index}`);
  }
  pool.put('big', 'state', new Uint8Array(3 * mib).fill(7), { kind: 'attention' });
}

const filled = { contexts: 51, parts: 101 };

async function run(
  words: readonly string[],
  io: TestIo = testIo(),
): Promise<TestIo & { code: number }> {
  const code = await main(words, io);
  return { ...io, code };
}

/** Changes bytes of a part where they lie in the files of a pool that nobody has open. */
function damagePart(folder: string, bytes: Buffer): void {
  for (const name of readdirSync(folder).filter((file) => /^segment-\d+$/.test(file))) {
    const file = `${folder}/${name}`;
    const at = readFileSync(file).indexOf(bytes);
    if (at < 0) continue;
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.from([bytes[0]! ^ 0xff]), 0, 1, at);
    closeSync(descriptor);
    return;
  }
  throw new Error('the bytes are not in the pool');
}

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

describe('cenote inspect', () => {
  it('prints a picture once where there is no terminal', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    const { code, stdout, stderr } = await cenote(['inspect', scratch.join('pool')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('51 contexts · 101 parts');
    expect(stdout).toContain('A attention');
    expect(stdout).toContain('memory map');
    expect(stdout).not.toContain('\x1b');
  });

  it('colours where FORCE_COLOR asks for it', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    expect(
      (await cenote(['inspect', scratch.join('pool')], { FORCE_COLOR: '1' })).stdout,
    ).toContain('\x1b[');
  });

  it('gives everything as JSON', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    const { stdout } = await run(['inspect', scratch.join('pool'), '--json']);
    const shown = JSON.parse(stdout.text) as { memoryMap: { cells: unknown[]; kinds: string[] } };
    expect(shown).toMatchObject({
      path: scratch.join('pool'),
      ...filled,
      operations: { puts: 101 },
    });
    expect(shown.memoryMap.kinds).toContain('tokens');
    expect(shown.memoryMap.cells.length).toBeGreaterThan(0);
  });

  it('is live in a terminal until q, and gives the terminal back', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    const io = testIo({ isTTY: true, columns: 100, rows: 40 });
    const ended = main(['inspect', scratch.join('pool')], io);
    await expect.poll(() => io.stdout.text).toContain('memory map');
    expect(io.stdin.raw).toBe(true);
    expect(io.stdout.text.startsWith('\x1b[?1049h\x1b[?25l')).toBe(true);
    io.stdin.press(' ');
    expect(io.stdout.text).toContain('held · space goes on');
    io.stdout.columns = 60;
    const before = io.stdout.text.length;
    io.stdout.emit('resize');
    expect(io.stdout.text.length).toBeGreaterThan(before);
    io.stdin.press('q');
    expect(await ended).toBe(0);
    expect(io.stdin.raw).toBe(false);
    expect(io.stdout.text.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
    expect(io.stdout.listenerCount('resize') + io.stdin.listenerCount('data')).toBe(0);
  });

  it('follows a server, with rates, as lines of JSON', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.path]);
    const io = testIo();
    const ended = main(['inspect', scratch.path, '--json', '--watch'], io);
    await expect.poll(() => io.stdout.text).toContain('\n');
    await server.request('PUT', '/v1/contexts/c/parts/p?type=utf8', 'hello');
    io.clock.advance(1000);
    await expect
      .poll(() => io.stdout.text.split('\n').length, { timeout: 20_000 })
      .toBeGreaterThan(2);
    process.emit('SIGINT', 'SIGINT');
    expect(await ended).toBe(0);
    const lines = io.stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({ contexts: 0 });
    expect(lines[0]).not.toHaveProperty('operationsPerSecond');
    expect(lines[1]).toMatchObject({ contexts: 1, operationsPerSecond: { puts: 1 } });
    await server.stop();
  });

  it('wants one pool of several named', async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.join('tenants'));
    for (const tenant of ['a', 'b']) await withPool(scratch.join('tenants', tenant), () => {});
    const { code, stderr } = await run(['inspect', scratch.path]);
    expect(code).toBe(2);
    expect(stderr.text).toContain(scratch.join('tenants', 'b'));
    expect((await run(['inspect', scratch.join('tenants', 'b'), '--json'])).code).toBe(0);
  });
});

describe('cenote snapshot and restore', () => {
  it('copy a pool and bring it back', async () => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    const made = await cenote(['snapshot', scratch.join('pool'), scratch.join('copy')]);
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/^snapshot: .*pool → .*copy, [\d.]+ \w+ in /);
    expect(made.stderr).toContain('100 %');
    const copied = await run(['check', scratch.join('copy'), '--json']);
    expect(JSON.parse(copied.stdout.text)).toMatchObject({ ok: true, ...filled, inUse: false });

    const back = await cenote(['restore', scratch.join('copy'), scratch.join('back'), '--json']);
    expect(back.code).toBe(0);
    expect(JSON.parse(back.stdout)).toMatchObject({
      source: scratch.join('copy'),
      destination: scratch.join('back'),
    });
    const report = await run(['check', scratch.join('back'), '--json']);
    expect(JSON.parse(report.stdout.text)).toMatchObject({ ok: true, ...filled });
    await withPool(scratch.join('back'), (pool) => {
      const lease = pool.get('chat-7', 'about');
      expect(lease?.text()).toBe('Conversation 7');
      lease?.release();
    });
  });

  it('refuse a pool that a server has open', async () => {
    using scratch = new Scratch();
    const server = await Serving.start(['--http', '0', '--data', scratch.join('data')]);
    const { code, stderr } = await run(['snapshot', scratch.join('data'), scratch.join('copy')]);
    expect(code).toBe(1);
    expect(stderr.text).toContain('error[pool_busy]: ');
    expect(existsSync(scratch.join('copy'))).toBe(false);
    await server.stop();
  });

  it.each(['snapshot', 'restore'])('%s makes no pool where there is none', async (command) => {
    using scratch = new Scratch();
    mkdirSync(scratch.join('empty'));
    for (const name of ['nowhere', 'empty']) {
      const { code, stderr } = await run([command, scratch.join(name), scratch.join('copy')]);
      expect(code).toBe(1);
      expect(stderr.text).toContain('error[not_a_pool]: ');
    }
    expect(existsSync(scratch.join('copy'))).toBe(false);
    expect(existsSync(scratch.join('nowhere'))).toBe(false);
    expect(readdirSync(scratch.join('empty'))).toEqual([]);
  });

  it.each(['snapshot', 'restore'])('%s replaces nothing', async (command) => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    await run(['snapshot', scratch.join('pool'), scratch.join('copy')]);
    const other = scratch.join('other');
    await withPool(other, (pool) => void pool.put('mine', 'part', 'stays'));
    const { code } = await run([
      command,
      scratch.join(command === 'snapshot' ? 'pool' : 'copy'),
      other,
    ]);
    expect(code).not.toBe(0);
    await withPool(other, (pool) => expect(pool.describe('mine', 'part')).toBeDefined());
  });

  it.each(['snapshot', 'restore'])('%s leaves nothing when it is interrupted', async (command) => {
    using scratch = new Scratch();
    await withPool(scratch.join('pool'), fill);
    await run(['snapshot', scratch.join('pool'), scratch.join('copy')]);
    const io = testIo({ isTTY: true });
    // The first drawing of the progress is inside the copy: Ctrl-C comes there.
    const write = io.stderr.write.bind(io.stderr);
    let interrupted = false;
    io.stderr.write = (text) => {
      if (!interrupted) process.emit('SIGINT', 'SIGINT');
      interrupted = true;
      return write(text);
    };
    const source = scratch.join(command === 'snapshot' ? 'pool' : 'copy');
    const { code, stderr } = await run([command, source, scratch.join('target')], io);
    expect(interrupted).toBe(true);
    expect(stderr.text).toContain('error[aborted]: '.replace('error[aborted]: ', '[aborted]:'));
    expect(code).toBe(130);
    expect(readdirSync(scratch.path).sort()).toEqual(['copy', 'pool']);
    expect((await run(['check', source])).code).toBe(0);
  });
});
