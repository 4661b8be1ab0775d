/** A snapshot holds what the pool held, opens as a pool, is verified when it is restored, and leaves nothing behind when it fails. */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { restorePool } from '../../src/pool/snapshot.ts';
import { contents, expectSound, filled, freshPath, mib, pool } from './support/pools.ts';

/** A pool of two segments with parts of every kind of history. */
async function richPool(path?: string): Promise<Pool> {
  const sizes = { capacityBytes: 8 * mib, segmentBytes: 4 * mib };
  const of = await pool({ ...sizes, ...(path === undefined ? {} : { path }) });
  for (let i = 0; i < 85; i++) of.put(`${i}`, 'p', filled(80_000, i), { tags: [`t-${i % 5}`] });
  for (let i = 0; i < 300; i++) of.put(`small-${i}`, 'part'.repeat(1 + (i % 40)), `text ${i}`);
  for (let i = 0; i < 85; i += 3) of.delete(`${i}`);
  of.append('1', 'p', filled(10, 200));
  of.put('pinned', 'p', 'x', { pinned: true, sensitive: true, ttlMs: 2 ** 40 });
  of.put('empty', 'p', '');
  expect(of.stats().segments).toBe(2);
  return of;
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

describe.each(['shared', 'mapped'])('a snapshot of a %s pool', (type) => {
  const source = (): string | undefined => (type === 'mapped' ? freshPath() : undefined);

  it('opens as a pool with the same contents', async () => {
    const of = await richPool(source());
    const lease = of.get('1', 'p');
    of.put('2', 'p', 'replaced while leased');
    const before = contents(of);
    const copy = freshPath();
    const steps: [number, number][] = [];
    await of.snapshot(copy, { onProgress: (done, total) => void steps.push([done, total]) });
    expect(steps.at(-1)?.[0]).toBe(steps.at(-1)?.[1]);
    expect(steps.at(-1)?.[0]).toBeGreaterThan(3 * mib);
    expect(steps.every(([done], i) => done >= (steps[i - 1]?.[0] ?? 0))).toBe(true);
    expect(contents(of)).toEqual(before);
    of.put('after', 'p', 'not in it');
    lease?.release();
    const again = await pool({ path: copy });
    expect(contents(again)).toEqual(before);
    expect(again.stats()).toMatchObject({ capacityBytes: 8 * mib, retiredParts: 0 });
    expectSound(again);
    expect(again.invalidate({ tag: 't-1' })).toBe(of.invalidate({ tag: 't-1' }));
    again.put('works', 'p', filled(100_000, 1));
    expectSound(again);
  });

  it('is restored byte by byte', async () => {
    const of = await richPool(source());
    const before = contents(of);
    const copy = freshPath();
    await of.snapshot(copy);
    const restored = freshPath();
    const steps: number[] = [];
    await restorePool(copy, restored, { onProgress: (done) => void steps.push(done) });
    expect(steps.at(-1)).toBe(8 * mib);
    const again = await pool({ path: restored });
    expect(contents(again)).toEqual(before);
    expectSound(again);
    // What was restored, and written since, is a snapshot's source again.
    again.put('more', 'p', 'x');
    const third = freshPath();
    await again.snapshot(third);
    expect(contents(await pool({ path: third }))).toEqual(contents(again));
    // The snapshot itself has not been touched.
    await restorePool(copy, freshPath());
  });

  it('takes space for what is in use only, and nobody else may read it', async () => {
    const path = source();
    const options = path === undefined ? {} : { path };
    const of = await pool({ capacityBytes: 256 * mib, ...options });
    of.put('a', 'p', filled(10_000, 1));
    const copy = freshPath();
    await of.snapshot(copy);
    const files = namesIn(copy).map((name) => statSync(join(copy, name)));
    expect(files.reduce((sum, { blocks }) => sum + blocks * 512, 0)).toBeLessThan(8 * mib);
    expect(files.every(({ mode }) => (mode & 0o777) === 0o600)).toBe(true);
    expect(statSync(copy).mode & 0o777).toBe(0o700);
    const restored = freshPath();
    await restorePool(copy, restored);
    const blocks = namesIn(restored).map((name) => statSync(join(restored, name)).blocks);
    expect(blocks.reduce((sum, count) => sum + count * 512, 0)).toBeLessThan(8 * mib);
  });
});

describe('taking a snapshot', () => {
  it('stops when it is told to, and leaves nothing behind', async () => {
    const of = await richPool();
    for (const when of [0, 1, 2]) {
      const copy = freshPath();
      const control = new AbortController();
      let steps = 0;
      if (when === 0) control.abort();
      const onProgress = (): void => {
        if (++steps === when) control.abort();
      };
      const taking = of.snapshot(copy, { signal: control.signal, onProgress });
      await expect(taking).rejects.toMatchObject({ code: 'aborted' });
      expect(namesIn(dirname(copy))).toEqual([]);
    }
    of.put('still', 'p', 'writable');
    expectSound(of);
  });

  it('lets reads and writes through, but neither another nor the end', async () => {
    const of = await richPool();
    const copy = freshPath();
    const taking = of.snapshot(copy);
    of.put('a', 'p', 'x');
    of.delete('1');
    await expect(of.snapshot(freshPath())).rejects.toMatchObject({ code: 'snapshot_in_progress' });
    await expect(of.close()).rejects.toMatchObject({ code: 'snapshot_in_progress' });
    of.get('2', 'p')?.release();
    expect(of.list().length).toBeGreaterThan(0);
    await taking;
    expectSound(of);
    const again = await pool({ path: copy });
    expect(contents(again)).toEqual(contents(of));
    expectSound(again);
  });

  it('refuses a folder that is in use, and one that cannot be', async () => {
    const of = await richPool();
    const copy = freshPath();
    mkdirSync(copy);
    writeFileSync(join(copy, 'mine'), 'precious');
    await expect(of.snapshot(copy)).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(namesIn(copy)).toEqual(['mine']);
    await expect(of.snapshot(join(copy, 'mine', 'below'))).rejects.toMatchObject({
      code: 'io_failed',
    });
    await expect(restorePool(copy, freshPath())).rejects.toMatchObject({ code: 'not_a_pool' });
    await expect(restorePool(freshPath(), freshPath())).rejects.toMatchObject({
      code: 'not_a_pool',
    });
    const empty = freshPath();
    mkdirSync(empty);
    await of.snapshot(empty);
    expect(namesIn(empty)).toEqual(['segment-0000', 'segment-0001', 'snapshot.json']);
  });
});

describe('a damaged snapshot', () => {
  /** Ways to damage one. */
  const damages: readonly [string, (folder: string) => void][] = [
    ['a bit of its first page', (folder) => flip(folder, 'segment-0000', 10)],
    ['a bit of its data', (folder) => flip(folder, 'segment-0000', 3 * mib)],
    ['a bit of its last segment', (folder) => flip(folder, 'segment-0001', 2 * mib + 1)],
    ['the end of a segment', (folder) => truncateSync(join(folder, 'segment-0001'), 4 * mib - 1)],
    ['its manifest', (folder) => truncateSync(join(folder, 'snapshot.json'), 100)],
    [
      'its manifest, replaced by another',
      (folder) =>
        writeFileSync(join(folder, 'snapshot.json'), '{"cenoteSnapshot":1,"segments":[{}]}'),
    ],
  ];

  function flip(folder: string, name: string, at: number): void {
    const bytes = readFileSync(join(folder, name));
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(join(folder, name), bytes);
  }

  it.each(damages)('is not restored: %s', async (_, damage) => {
    const of = await richPool();
    const copy = freshPath();
    await of.snapshot(copy);
    damage(copy);
    const restored = freshPath();
    await expect(restorePool(copy, restored)).rejects.toMatchObject({ code: 'pool_corrupt' });
    expect(namesIn(dirname(restored))).toEqual([]);
  });

  it('is not restored over something, nor when it is told to stop', async () => {
    const of = await richPool();
    const copy = freshPath();
    await of.snapshot(copy);
    await expect(restorePool(copy, copy)).rejects.toMatchObject({ code: 'invalid_argument' });
    const restored = freshPath();
    const stopping = restorePool(copy, restored, { signal: AbortSignal.abort() });
    await expect(stopping).rejects.toMatchObject({ code: 'aborted' });
    expect(namesIn(dirname(restored))).toEqual([]);
  });
});
