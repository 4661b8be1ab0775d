/** A snapshot that is taken while owners write is of one moment: everything that was written before it, nothing of what came after, nothing mixed. */

import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Pool } from '../../src/pool/api.ts';
import { restorePool } from '../../src/pool/snapshot.ts';
import { diskPool, evictAll, loaded } from '../tier/support/pools.ts';
import { rounds, seed } from '../support/seed.ts';
import { contents, expectSound, filled, freshPath, mib, pool, read } from './support/pools.ts';

const keys = 40;

/** Parts that always change together: whatever moment is seen, all of a group hold the same number. */
function writeGroup(of: Pool, random: Random, number: number): void {
  const group = random.below(keys);
  const id = `group-${group}`;
  const draw = random.below(10);
  if (draw === 0) {
    of.delete(id);
    return;
  }
  const sizeBytes = 1000 + random.below(60_000);
  // The larger one last: a torn copy would have the one and not the other.
  of.put(id, 'first', filled(sizeBytes, number), draw === 1 ? { ttlMs: 2 ** 40 } : {});
  of.put(id, 'second', filled(sizeBytes, number));
  if (draw === 2) of.append(id, 'first', filled(10, number));
  if (draw === 2) of.append(id, 'second', filled(10, number));
}

function expectWhole(of: Pool): void {
  for (let group = 0; group < keys; group++) {
    const first = read(of, `group-${group}`, 'first');
    const second = read(of, `group-${group}`, 'second');
    expect(first?.equals(second as Buffer) ?? second, `group ${group}`).toBe(
      first === undefined ? undefined : true,
    );
    if (first !== undefined) expect(new Set(first).size, `group ${group}`).toBe(1);
  }
}

describe('a snapshot beside writers', () => {
  it('is of one moment', async () => {
    const random = new Random(seed());
    for (let round = 0; round < rounds(4, 30); round++) {
      const path = freshPath();
      const of = await pool({ path, capacityBytes: 32 * mib });
      const other = await pool({ path });
      // The entries of a group lie so far apart that a round does not see them in one turn.
      for (let i = 0; i < keys; i++) of.put(`group-${i}`, 'first', filled(100, 0));
      for (let i = 0; i < 8000; i++) of.put(`between-${i}`, 'p', '');
      for (let i = 0; i < keys; i++) of.put(`group-${i}`, 'second', filled(100, 0));
      let isTaken = false;
      const copy = freshPath();
      const taking = of.snapshot(copy).finally(() => {
        isTaken = true;
      });
      for (let i = 0; !isTaken; i++) {
        writeGroup(i % 2 === 0 ? of : other, random, i & 0xff);
        if (i % 3 === 0) await turn();
      }
      await taking;
      const restored = freshPath();
      await restorePool(copy, restored);
      const again = await pool({ path: restored });
      expectWhole(again);
      expectSound(again);
      expectWhole(of);
      expectSound(of);
    }
  });

  it('has what was deleted before it begins not, and all that was there and stayed', async () => {
    const of = await pool({ path: freshPath(), capacityBytes: 16 * mib });
    for (let i = 0; i < 50; i++) of.put(`${i}`, 'p', filled(100_000, i), { tags: [`t${i % 3}`] });
    const copy = freshPath();
    const taking = of.snapshot(copy);
    // Changes of every kind, while it runs.
    of.delete('3');
    of.put('4', 'p', 'replaced');
    of.append('5', 'p', filled(10, 1));
    of.expire('6', 60_000);
    of.pin('7');
    of.put('new', 'p', 'new');
    of.put('8', 'p', filled(100_000, 8));
    const before = contents(of);
    await taking;
    const again = await pool({ path: copy });
    expect(contents(again)).toEqual(before);
  });

  it('has not what was replaced and deleted while it ran', async () => {
    const of = await pool({ path: freshPath(), capacityBytes: 48 * mib });
    of.put('a', 'p', 'first');
    of.put('next', 'p', filled(9 * mib, 1));
    of.put('free', 'p', 'an entry for the other kind');
    of.put('last', 'p', filled(9 * mib, 1));
    of.delete('free');
    const copy = freshPath();
    const done: string[] = [];
    const once = (name: string, act: () => unknown): void => {
      if (done.includes(name)) return;
      done.push(name);
      act();
    };
    const onProgress = (doneBytes: number): void => {
      // While the last is copied: it goes to an entry that was looked at.
      if (doneBytes > 14 * mib) once('replaced', () => of.put('a', 'p', '2', { kind: 'tokens' }));
      if (doneBytes > 14 * mib) once('written', () => of.put('next', 'p', filled(9 * mib, 2)));
      // While the next is copied again: its first entry was looked at once more, and the other was not.
      if (doneBytes > 20 * mib) once('deleted', () => of.delete('a'));
    };
    await of.snapshot(copy, { onProgress });
    expect(done).toEqual(['replaced', 'written', 'deleted']);
    const again = await pool({ path: copy });
    expect(contents(again)).toEqual(contents(of));
  });

  it('fits though small parts grow large and large ones shrink', async () => {
    const of = await pool({ path: freshPath(), capacityBytes: 32 * mib });
    const put = (name: string, sizeBytes: number): void => {
      for (let i = 0; i < 10; i++) of.put(`${name}${i}`, 'p', filled(sizeBytes, i));
    };
    // What stays is copied first, and would have to make room.
    put('stays', 300_000);
    put('a', 100);
    put('b', 2 * mib);
    const copy = freshPath();
    let isSwapped = false;
    const onProgress = (doneBytes: number): void => {
      if (isSwapped || doneBytes < 22 * mib) return;
      isSwapped = true;
      put('b', 100);
      put('a', 2 * mib);
    };
    await of.snapshot(copy, { onProgress });
    expect(isSwapped).toBe(true);
    expect(of.contextCount).toBe(30);
    const again = await pool({ path: copy });
    expect(contents(again)).toEqual(contents(of));
    expectSound(again);
  });

  it('has what was changed and changed back while its copy had to make room', async () => {
    const of = await pool({ path: freshPath(), capacityBytes: 32 * mib });
    const put = (name: string, sizeBytes: number): void => {
      for (let i = 0; i < 10; i++) of.put(`${name}${i}`, 'p', filled(sizeBytes, i));
    };
    put('stays', 300_000);
    put('a', 100);
    put('b', 2 * mib);
    of.put('last', 'p', 'pinned for a while');
    const copy = freshPath();
    const done: string[] = [];
    const onProgress = (doneBytes: number): void => {
      const isNext = (name: string, fromBytes: number): boolean =>
        doneBytes >= fromBytes && !done.includes(name) && done.push(name) > 0;
      if (isNext('swapped', 22 * mib)) {
        put('b', 100);
        put('a', 2 * mib);
      }
      if (isNext('pinned', 25 * mib)) of.pin('last');
      if (isNext('unpinned', 41 * mib)) of.unpin('last');
    };
    await of.snapshot(copy, { onProgress });
    expect(done).toEqual(['swapped', 'pinned', 'unpinned']);
    const again = await pool({ path: copy });
    expect(contents(again)).toEqual(contents(of));
  });

  it('has all of a pool that is full', async () => {
    const of = await pool({ path: freshPath(), capacityBytes: 24 * mib });
    for (let i = 0; i < 300; i++) of.put(`${i}`, 'p', filled(100_000, i));
    const copy = freshPath();
    await of.snapshot(copy);
    const again = await pool({ path: copy });
    expect(contents(again)).toEqual(contents(of));
    expect(again.stats().capacityBytes / of.stats().capacityBytes).toBeLessThan(1.02);
  });

  it('tells of a part that is damaged, and leaves nothing behind', async () => {
    const of = await pool({ capacityBytes: 8 * mib });
    of.put('a', 'p', filled(10_000, 1));
    const lease = of.get('a', 'p');
    new Uint8Array((lease as NonNullable<typeof lease>).data.buffer, lease?.data.byteOffset)[3] = 9;
    lease?.release();
    const copy = freshPath();
    await expect(of.snapshot(copy)).rejects.toMatchObject({ code: 'part_corrupt' });
    await expect(pool({ path: copy, readOnly: true })).rejects.toThrow(/./);
  });
});

describe('a snapshot of a pool with a disk tier', () => {
  it('has what is on the disk, without what is about to go', async () => {
    const of = await diskPool(freshPath(), { capacityBytes: 8 * mib });
    const large = filled(3 * mib, 7);
    of.put('cold', 'p', large);
    of.put('small', 'p', 'cold too', { tags: ['t'] });
    of.put('gone', 'p', 'deleted');
    await Promise.all(['cold', 'small', 'gone'].map((id) => of.persist(id)));
    evictAll(of);
    of.put('hot', 'p', 'never persisted');
    of.delete('gone');
    const copy = freshPath();
    const taking = of.snapshot(copy);
    of.delete('small');
    await taking;
    const restored = freshPath();
    await restorePool(copy, restored);
    const again = await diskPool(restored);
    expect((await loaded(again, 'cold', 'p'))?.equals(large)).toBe(true);
    expect(await loaded(again, 'gone', 'p')).toBeUndefined();
    expect(await loaded(again, 'small', 'p')).toBeUndefined();
    expect(String(await loaded(again, 'hot', 'p'))).toBe('never persisted');
    expect(again.stats().disk?.corrupt).toBe(0);
    expectSound(again);
  });
});
