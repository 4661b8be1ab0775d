/** Damage is reported, and what is damaged is never returned. */

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { expectSound, filled, freshPath, pool, read, refuses } from './support/pools.ts';

/** What a crash right now would leave. */
function crashed(path: string): string {
  const copy = `${path}-crashed`;
  cpSync(path, copy, { recursive: true });
  return copy;
}

/** Flips a bit of the first segment wherever `mark` is found. */
function flip(path: string, mark: string, at = 0): void {
  const file = join(path, 'segment-0000');
  const bytes = readFileSync(file);
  const places: number[] = [];
  for (let place = bytes.indexOf(mark); place >= 0; place = bytes.indexOf(mark, place + 1)) {
    places.push(place + at);
  }
  expect(places.length).toBeGreaterThan(0);
  for (const place of places) bytes[place] = (bytes[place] as number) ^ 4;
  writeFileSync(file, bytes);
}

async function poolWith(path: string, checksums = true): Promise<Pool> {
  const of = await pool({ path, checksums });
  of.put('a', 'p', `[damaged]${'x'.repeat(2000)}`);
  of.put('a', 'q', 'sound');
  of.put('b', 'p', filled(100_000, 7));
  return of;
}

describe('a part that is damaged in a crash', () => {
  it('is reported at every get, and never returned', async () => {
    const path = freshPath();
    await poolWith(path);
    const copy = crashed(path);
    flip(copy, '[damaged]');
    const of = await pool({ path: copy });
    for (let i = 0; i < 3; i++) refuses(() => of.get('a', 'p'), 'part_corrupt');
    expect(of.stats().operations.corruptParts).toBe(3);
    expect(of.stats().retiredParts).toBe(0);
    expect(of.get('a', 'q')?.text()).toBe('sound');
    expect(read(of, 'b', 'p')).toEqual(Buffer.alloc(100_000, 7));
    const { ok, errors } = of.check();
    expect(ok).toBe(false);
    expect(errors).toEqual([expect.stringContaining('part "p" of "a"')]);
    await expect(of.load('a', 'p')).rejects.toMatchObject({ code: 'part_corrupt' });
  });

  it('is as good as new when it is written again, or gone', async () => {
    const path = freshPath();
    await poolWith(path);
    const copy = crashed(path);
    flip(copy, '[damaged]');
    const of = await pool({ path: copy });
    refuses(() => of.get('a', 'p'), 'part_corrupt');
    of.put('a', 'p', 'new');
    expect(of.get('a', 'p')?.text()).toBe('new');
    expectSound(of);
  });

  it.each([
    ['in place', 1],
    ['into a larger block', 50_000],
  ])('stays damaged when it is appended to %s', async (_, sizeBytes) => {
    const path = freshPath();
    await poolWith(path);
    const copy = crashed(path);
    flip(copy, '[damaged]');
    const of = await pool({ path: copy });
    of.append('a', 'p', 'y'.repeat(sizeBytes));
    refuses(() => of.get('a', 'p'), 'part_corrupt');
    expect(of.check().ok).toBe(false);
    await of.close();
    const again = await pool({ path: copy });
    refuses(() => again.get('a', 'p'), 'part_corrupt');
    expect(again.get('a', 'q')?.text()).toBe('sound');
  });

  it('is found by whoever looks on, and by a later opening', async () => {
    const path = freshPath();
    await poolWith(path);
    const copy = crashed(path);
    flip(copy, '[damaged]', 500);
    const looking = await pool({ path: copy, readOnly: true });
    refuses(() => looking.get('a', 'p'), 'part_corrupt');
    expect(looking.get('a', 'q')?.text()).toBe('sound');
    expect(looking.check().ok).toBe(false);
    await looking.close();
    await (await pool({ path: copy })).close();
    const again = await pool({ path: copy });
    refuses(() => again.get('a', 'p'), 'part_corrupt');
  });

  it('cannot be told without checksums', async () => {
    const path = freshPath();
    await poolWith(path, false);
    const copy = crashed(path);
    flip(copy, '[damaged]', 1);
    const of = await pool({ path: copy, checksums: false });
    expect(of.get('a', 'p')?.text().startsWith('[')).toBe(true);
    expect(of.describe('a', 'p')?.crc32).toBeUndefined();
    expect(of.check()).toMatchObject({ ok: true, checksumsVerified: 0 });
  });

  it('is told by a checksum that an append has taken', async () => {
    const path = freshPath();
    const without = await poolWith(path, false);
    await without.close();
    const with_ = await pool({ path, checksums: true });
    with_.append('a', 'p', 'y'.repeat(50_000));
    expect(with_.describe('a', 'p')?.crc32).toBeDefined();
    expect(with_.describe('a', 'q')?.crc32).toBeUndefined();
    expectSound(with_);
    const copy = crashed(path);
    flip(copy, '[damaged]');
    const of = await pool({ path: copy });
    refuses(() => of.get('a', 'p'), 'part_corrupt');
    expect(of.get('a', 'q')?.text()).toBe('sound');
  });
});

describe('after an orderly close', () => {
  it('parts are not read again at opening, and check still finds damage', async () => {
    const path = freshPath();
    const of = await poolWith(path);
    await of.close();
    flip(path, '[damaged]');
    const again = await pool({ path });
    expect(again.get('a', 'p')?.text()).toContain('x');
    expect(again.check().ok).toBe(false);
  });
});
