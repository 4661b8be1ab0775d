import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openPool } from '../../src/pool/open.ts';
import { cenote, Scratch } from './support/cli.ts';
import { damagePart, fill, filled, run, withPool } from './support/pools.ts';

interface Report {
  readonly ok: boolean;
  readonly parts: number;
  readonly errors: readonly string[];
  readonly pools: readonly {
    readonly repair?: {
      readonly parts: number;
      readonly dropped: readonly object[];
      readonly backup: string;
    };
  }[];
}

function parse(stdout: string): Report {
  return JSON.parse(stdout) as Report;
}

describe('cenote check --repair', () => {
  it('says what it saved and what is lost, and finds nothing more to do the next time', async () => {
    using scratch = new Scratch();
    const path = scratch.join('pool');
    await withPool(path, fill);
    damagePart(path, Buffer.from('Conversation 7'));
    const first = await cenote(['check', path, '--repair']);
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('repaired: 100 parts saved, 1 lost');
    expect(first.stdout).toContain(
      'lost part "about" of "chat-7": its bytes do not match their checksum',
    );
    expect(first.stdout).toContain('damaged-1');
    const again = parse((await run(['check', path, '--repair', '--json'])).stdout.text);
    expect(again).toMatchObject({ ok: true, parts: filled.parts - 1 });
    expect(again.pools[0]?.repair).toBeUndefined();
  });

  it('tells all of it as JSON', async () => {
    using scratch = new Scratch();
    const path = scratch.join('pool');
    await withPool(path, fill);
    damagePart(path, Buffer.from('Conversation 9'));
    const report = parse((await run(['check', path, '--repair', '--json'])).stdout.text);
    expect(report).toMatchObject({ ok: true, errors: [], parts: filled.parts - 1 });
    expect(report.pools[0]?.repair).toMatchObject({
      parts: filled.parts - 1,
      unnamed: 0,
      impaired: [],
      findings: [],
      dropped: [{ id: 'chat-9', part: 'about', why: 'its bytes do not match their checksum' }],
      backup: scratch.join('pool', 'damaged-1'),
    });
  });

  it('leaves sound pools of a data folder as they are', async () => {
    using scratch = new Scratch();
    mkdirSync(scratch.join('tenants'));
    for (const tenant of ['a', 'b']) await withPool(scratch.join('tenants', tenant), fill);
    const file = scratch.join('tenants', 'a', 'segment-0000');
    const sound = readFileSync(file);
    damagePart(scratch.join('tenants', 'b'), Buffer.from('Conversation 7'));
    const report = parse((await run(['check', scratch.path, '--repair', '--json'])).stdout.text);
    expect(report.pools.map(({ repair }) => repair?.parts)).toEqual([undefined, filled.parts - 1]);
    expect(readFileSync(file).equals(sound)).toBe(true);
  });

  it('repairs nothing that somebody has open', async () => {
    using scratch = new Scratch();
    const path = scratch.join('pool');
    await withPool(path, fill);
    damagePart(path, Buffer.from('Conversation 7'));
    const pool = await openPool({ path });
    const { code, stderr } = await run(['check', path, '--repair']);
    expect(code).toBe(1);
    expect(stderr.text).toMatch(/^error\[pool_busy\]/);
    await pool.close();
  });

  it('finishes a repair that was interrupted, and only then', async () => {
    using scratch = new Scratch();
    const path = scratch.join('pool');
    await withPool(path, fill);
    damagePart(path, Buffer.from('Conversation 7'));
    await run(['check', path, '--repair']);
    // As if it had been killed before the last step.
    mkdirSync(scratch.join('pool', 'repaired'));
    renameSync(
      scratch.join('pool', 'segment-0000'),
      scratch.join('pool', 'repaired', 'segment-0000'),
    );
    const found = parse((await run(['check', path, '--json'])).stdout.text);
    expect(found).toMatchObject({
      ok: false,
      errors: ['a repair was interrupted: finish it with --repair'],
    });
    const { code } = await run(['check', path, '--repair']);
    expect(code).toBe(0);
    expect(parse((await run(['check', path, '--json'])).stdout.text)).toMatchObject({
      ok: true,
      parts: filled.parts - 1,
    });
  });

  it('says so where nothing can be saved', async () => {
    using scratch = new Scratch();
    const path = scratch.join('pool');
    await withPool(path, fill);
    const file = scratch.join('pool', 'segment-0000');
    const bytes = readFileSync(file);
    bytes.fill(0xff, 0, 8192);
    writeFileSync(file, bytes);
    const { code, stderr } = await run(['check', path, '--repair']);
    expect(code).toBe(1);
    expect(stderr.text).toMatch(/^error\[pool_corrupt\]/);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });
});
