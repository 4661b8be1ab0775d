import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import { cenote, Scratch, Serving } from './support/cli.ts';
import { fill, filled, run, withPool } from './support/pools.ts';
import { testIo } from './support/text-io.ts';

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

  it('copy a pool that a server has open, with its disk tier', async () => {
    using scratch = new Scratch();
    const words = [
      '--http',
      '0',
      '--capacity',
      '64m',
      '--disk',
      '1GiB',
      '--data',
      scratch.join('data'),
    ];
    const server = await Serving.start(words);
    const path = '/v1/contexts/chat/parts/p?durability=disk';
    expect((await server.request('PUT', path, 'kept')).status).toBe(201);
    const { code, stderr } = await run(['snapshot', scratch.join('data'), scratch.join('copy')]);
    expect(code, stderr.text).toBe(0);
    expect((await server.request('PUT', path, 'later')).status).toBe(200);
    await server.stop();
    expect(await run(['restore', scratch.join('copy'), scratch.join('back')])).toMatchObject({
      code: 0,
    });
    const pool = await openPool({ path: scratch.join('back'), tiers: { disk: {} } });
    expect(pool.get('chat', 'p')?.text()).toBe('kept');
    expect(pool.describe('chat', 'p')).toBeDefined();
    await pool.close();
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
    expect(stderr.text).toContain(`interrupted: nothing is left at ${scratch.join('target')}`);
    expect(code).toBe(130);
    expect(readdirSync(scratch.path).sort()).toEqual(['copy', 'pool']);
    expect((await run(['check', source])).code).toBe(0);
  });
});
