import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { cenote, Scratch, Serving } from './support/cli.ts';
import { fill, filled, run, withPool } from './support/pools.ts';
import { testIo } from './support/text-io.ts';

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
    // However long a reading takes: each comes a second after the one before.
    let nowMs = 0;
    io.clock.nowMs = () => (nowMs += 1000);
    const ended = main(['inspect', scratch.path, '--json', '--watch'], io);
    await expect.poll(() => io.stdout.text).toContain('\n');
    await server.request('PUT', '/v1/contexts/c/parts/p?type=utf8', 'hello');
    await expect.poll(() => io.stdout.text, { timeout: 20_000 }).toMatch(/"contexts":1\b.*\n$/);
    process.emit('SIGINT', 'SIGINT');
    expect(await ended).toBe(0);
    const lines = io.stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({ contexts: 0 });
    expect(lines[0]).not.toHaveProperty('operationsPerSecond');
    const first = lines.find(({ contexts }) => contexts === 1);
    expect(first).toMatchObject({ operationsPerSecond: { puts: 1 } });
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
