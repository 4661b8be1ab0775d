/** Earlier versions of a part: as many as are kept, whole, gone with the part. */

import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import {
  expectSound,
  filled,
  freshPath,
  mib,
  pool,
  read,
  testClock,
} from '../pool/support/pools.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, evictAll } from './support/pools.ts';

const clock = testClock();

async function keeping(
  versions: number,
  path: string = freshPath(),
  maxBytes: number = mib * 64,
): Promise<Pool> {
  return diskPool(path, { clock, tiers: { disk: { versions, maxBytes } } });
}

async function text(of: Pool, version: number): Promise<string | undefined> {
  const lease = await of.load('a', 'p', { version });
  const found = lease?.text();
  lease?.release();
  return found;
}

describe('the versions of a part', () => {
  it('are gone with it, also one that is still on its way to the disk when another part has the name', async () => {
    const of = await diskPool(freshPath(), {
      capacityBytes: 64 * mib,
      tiers: { disk: { versions: 3 } },
    });
    const version = of.put('a', 'p', filled(16 * mib, 1));
    of.put('a', 'p', 'second');
    of.delete('a');
    const last = of.put('a', 'p', 'third');
    await of.persist('a');
    expect(of.versions('a', 'p').map((kept) => kept.version)).toEqual([last]);
    expect(await of.load('a', 'p', { version })).toBeUndefined();
  });

  it('are the last so many, replaced, appended to or evicted meanwhile', async () => {
    const of = await keeping(4);
    const versions = [of.put('a', 'p', 'one')];
    versions.push(of.append('a', 'p', ', two'));
    versions.push(of.put('a', 'p', 'three', { tags: ['t'] }));
    versions.push(of.put('a', 'p', 'four'));
    versions.push(of.append('a', 'p', ', five'));
    const texts = ['one', 'one, two', 'three', 'four', 'four, five'];
    await of.persist('a');
    expect(of.versions('a', 'p').map(({ version }) => version)).toEqual(
      versions.slice(1).toReversed(),
    );
    expect(of.versions('a', 'p')[0]).toEqual({ version: versions[4], sizeBytes: 10, place: 'hot' });
    for (let i = 1; i < 5; i++) expect(await text(of, versions[i] as number)).toBe(texts[i]);
    expect(await text(of, versions[0] as number)).toBeUndefined();
    evictAll(of);
    expect(of.versions('a', 'p').map(({ place }) => place)).toEqual(Array(4).fill('disk'));
    for (let i = 1; i < 5; i++) expect(await text(of, versions[i] as number)).toBe(texts[i]);
    // Looking at one does not make it the current one.
    expect(of.where('a', 'p')).toBe('disk');
    // What replaces a part that is on the disk only keeps it too.
    versions.push(of.put('a', 'p', 'six'));
    await of.persist('a');
    expect(of.versions('a', 'p').map(({ version }) => version)).toEqual(
      versions.slice(2).toReversed(),
    );
    expect(await text(of, versions[4] as number)).toBe('four, five');
    expectSound(of);
  });

  it('are there after a power loss, large ones too', async () => {
    const path = freshPath();
    const first = await keeping(3, path);
    const large = filled(2 * mib, 1);
    const old = first.put('a', 'p', large);
    const current = first.put('a', 'p', filled(2 * mib, 2));
    await first.persist('a');
    await first.close();
    losePower(path);
    const second = await keeping(3, path);
    expect(second.versions('a', 'p').map(({ version }) => version)).toEqual([current, old]);
    const lease = await second.load('a', 'p', { version: old });
    expect(Buffer.from(lease?.data as Uint8Array).equals(large)).toBe(true);
    lease?.release();
  });

  const removals: readonly (readonly [string, (of: Pool) => number])[] = [
    ['delete', (of) => of.delete('a', 'p')],
    ['delete of the context', (of) => of.delete('a')],
    ['invalidate', (of) => of.invalidate({ tag: 't' })],
  ];
  const cases = removals.flatMap(([name, remove]) =>
    [true, false].map(
      (isThere) => [name, isThere ? 'on the disk' : 'on their way', remove, isThere] as const,
    ),
  );
  it.each(cases)(
    'go by %s when they are %s, and leave nothing behind',
    async (_, __, remove, isThere) => {
      const of = await keeping(5);
      const old = of.put('a', 'p', filled(mib, 1), { tags: ['t'] });
      of.put('a', 'p', filled(mib, 2), { tags: ['t'] });
      of.put('a', 'p', filled(mib, 3), { tags: ['t'] });
      // On the disk already; in the second round on their way.
      if (isThere) await of.persist('a');
      expect(remove(of)).toBe(1);
      expect(of.versions('a', 'p')).toEqual([]);
      expect(await of.load('a', 'p', { version: old })).toBeUndefined();
      await of.persist('a');
      expect(of.versions('a', 'p')).toEqual([]);
      expect(of.stats().disk?.usedBytes).toBe(0);
      // A part of the same name has versions of its own.
      of.put('a', 'p', 'new');
      expect(of.versions('a', 'p')).toHaveLength(1);
    },
  );

  it('are not kept unless it is asked for', async () => {
    const of = await diskPool(freshPath());
    const old = of.put('a', 'p', 'one');
    const current = of.put('a', 'p', 'two');
    await of.persist('a');
    expect(of.versions('a', 'p').map(({ version }) => version)).toEqual([current]);
    expect(await of.load('a', 'p', { version: old })).toBeUndefined();
    const plain = await pool();
    const only = plain.put('a', 'p', 'x');
    expect(plain.versions('a', 'p')).toEqual([{ version: only, sizeBytes: 1, place: 'hot' }]);
    expect((await plain.load('a', 'p', { version: only }))?.text()).toBe('x');
    expect(await plain.load('a', 'p', { version: 1 })).toBeUndefined();
  });

  it('stay as they are when there is no room for a later one', async () => {
    const path = freshPath();
    const first = await keeping(2, path, 20 * 1024);
    const known = filled(10 * 1024, 1);
    first.put('a', 'p', known);
    await first.persist('a');
    first.put('a', 'p', filled(15 * 1024, 2));
    await expect(first.persist('a')).rejects.toMatchObject({ code: 'tier_full' });
    await first.close();
    losePower(path);
    const second = await keeping(2, path);
    expect(read(second, 'a', 'p')?.equals(known)).toBe(true);
  });

  it.each([
    ['small', [6, 6, 6, 6], 14],
    ['large', [60, 60, 12], 128],
  ])('that are %s make room for the next one', async (_, sizesKib, maxKib) => {
    const of = await keeping(2, freshPath(), maxKib * 1024);
    for (const [i, sizeKib] of sizesKib.entries()) {
      of.put('a', 'p', filled(sizeKib * 1024, i));
      await of.persist('a');
      // What is replaced in memory would be written once more.
      evictAll(of);
    }
    expect(of.versions('a', 'p').map(({ sizeBytes }) => sizeBytes / 1024)).toEqual(
      sizesKib.slice(-2).toReversed(),
    );
  });

  it('that wait are bounded: what is too much is counted', async () => {
    const of = await keeping(3);
    for (let i = 0; i < 3000; i++) of.put('a', 'p', filled(100, i & 0xff));
    await of.persist('a');
    expect(of.stats().disk?.versionsLagged).toBeGreaterThan(0);
    expect(of.versions('a', 'p').length).toBeLessThanOrEqual(3);
    expectSound(of);
  });
});
