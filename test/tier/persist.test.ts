/** What was persisted is there after a power loss; what was deleted is not; nothing is mixed. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { pool } from '../pool/support/pools.ts';
import { expectSound, filled, freshPath, mib, read, testClock } from '../pool/support/pools.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

/** More than are written at once. */
const parts = 30;
const partBytes = 100_000;

describe('a part that was persisted', () => {
  it('is back after a power loss, with everything that is known of it', async () => {
    const path = freshPath();
    const clock = testClock();
    const first = await diskPool(path, { clock });
    const version = first.put('chat', 'tokens', Uint32Array.of(1, 2, 3), {
      tags: ['doc-7'],
      pinned: true,
      sensitive: true,
      ttlMs: 60_000,
    });
    const large = filled(3 * mib + 5, 7);
    first.put('chat', 'image', large);
    first.put('chat', 'empty', '');
    const before = first.describe('chat', 'tokens');
    await first.persist('chat');
    expect(first.where('chat', 'tokens')).toBe('hot');
    await first.close();
    losePower(path);

    const done: [number, number][] = [];
    const second = await diskPool(path, { clock, onProgress: (...bytes) => void done.push(bytes) });
    const lease = second.get('chat', 'tokens');
    expect(lease?.data).toEqual(Uint32Array.of(1, 2, 3));
    expect(lease?.version).toBe(version);
    lease?.release();
    expect(second.describe('chat', 'tokens')).toEqual({ ...before, uses: 2 });
    expect(read(second, 'chat', 'image')?.equals(large)).toBe(true);
    expect(read(second, 'chat', 'empty')?.length).toBe(0);
    expect(done.at(-1)).toEqual([large.length + 12, large.length + 12]);
    expect(second.put('chat', 'tokens', 'x')).toBeGreaterThan(version);
    expectSound(second);
  });

  it('is told of, though others are deleted without end', async () => {
    let deleted = parts;
    const onStep = (step: string): void => {
      if (step === 'disk:committed' && deleted < parts) of.delete('others', `${deleted++}`);
    };
    const of = await diskPool(freshPath(), { tiers: { disk: { onStep } } });
    for (let i = 0; i < parts; i++) of.put('others', `${i}`, 'x');
    await of.persist('others');
    of.put('a', 'p', 'one');
    deleted = 0;
    await of.persist('a');
    expect(deleted).toBeGreaterThan(0);
    expect(deleted).toBeLessThan(parts / 2);
  });

  it('is back when the files of the memory are gone', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    first.put('a', 'p', 'kept');
    await first.persist('a', 'p');
    await first.close();
    rmSync(join(path, 'segment-0000'));
    const second = await diskPool(path);
    expect(String(read(second, 'a', 'p'))).toBe('kept');
    await second.close();
    const third = await diskPool(path);
    expect(String(read(third, 'a', 'p'))).toBe('kept');
  });

  it('is as it was persisted last, whatever came after', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    first.put('a', 'p', 'one');
    await first.persist('a');
    first.put('a', 'p', 'two');
    first.put('a', 'other', 'never persisted');
    await first.close();
    losePower(path);
    const second = await diskPool(path);
    expect(String(read(second, 'a', 'p'))).toBe('one');
    expect(await loaded(second, 'a', 'other')).toBeUndefined();
  });

  it('is written once for those who wait together, and again when it changes', async () => {
    const path = freshPath();
    const one = await diskPool(path);
    one.put('a', 'p', 'one');
    await Promise.all([one.persist('a'), one.persist('a', 'p'), one.persist('a', { part: 'p' })]);
    await one.persist('a');
    expect(one.stats().disk?.persisted).toBe(1);
    one.append('a', 'p', ', two');
    await one.persist('a');
    one.expire('a', 60_000);
    await one.persist('a');
    expect(one.stats().disk?.persisted).toBe(3);
    expect(one.stats().disk?.usedBytes).toBeLessThan(1000);
  });

  it('is there though memory was filled before its turn came', async () => {
    const path = freshPath();
    let fill: (() => void) | undefined;
    const onStep = (step: string): void => {
      if (step !== 'persist:begin') return;
      fill?.();
      fill = undefined;
    };
    const first = await diskPool(path, { tiers: { disk: { onStep } } });
    for (let i = 0; i < parts; i++) first.put('a', `p${i}`, filled(partBytes, i));
    fill = () => evictAll(first);
    await first.persist('a');
    await first.close();
    losePower(path);
    const second = await diskPool(path);
    for (let i = 0; i < parts; i++) {
      const found = await loaded(second, 'a', `p${i}`);
      expect(found?.equals(filled(partBytes, i)), `p${i}`).toBe(true);
    }
  });

  it('is not held any more when others did not fit the disk', async () => {
    const of = await diskPool(freshPath(), { tiers: { disk: { maxBytes: mib } } });
    for (let i = 0; i < parts; i++) of.put('a', `p${i}`, filled(partBytes, i));
    await expect(of.persist('a')).rejects.toMatchObject({ code: 'tier_full' });
    evictAll(of);
    for (let i = 0; i < parts; i++) expect(of.where('a', `p${i}`), `p${i}`).not.toBe('hot');
  });

  it('stays what it was when it is replaced while it is written', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    const old = filled(4 * mib, 1);
    first.put('a', 'p', old);
    const persisting = first.persist('a');
    first.put('a', 'p', filled(4 * mib, 2));
    await persisting;
    await first.close();
    losePower(path);
    const second = await diskPool(path);
    expect(read(second, 'a', 'p')?.equals(old)).toBe(true);
  });

  it('does not come back when it is deleted while it is written', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    first.put('a', 'p', filled(4 * mib, 1));
    const persisting = first.persist('a');
    first.delete('a', 'p');
    await persisting;
    expect(await loaded(first, 'a', 'p')).toBeUndefined();
    expect(first.stats().disk?.usedBytes).toBe(0);
    await first.close();
    losePower(path);
    const second = await diskPool(path);
    expect(await loaded(second, 'a', 'p')).toBeUndefined();
  });

  it('is not trusted over memory that outlived the process', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    first.put('a', 'p', 'one');
    await first.persist('a');
    first.put('a', 'p', 'two');
    await first.close();
    const second = await diskPool(path);
    expect(String(read(second, 'a', 'p'))).toBe('two');
  });
});

describe('a deletion that was persisted', () => {
  it.each([
    ['delete of a part', (of: Awaited<ReturnType<typeof pool>>) => of.delete('a', 'p')],
    ['delete of the context', (of: Awaited<ReturnType<typeof pool>>) => of.delete('a')],
    ['invalidate', (of: Awaited<ReturnType<typeof pool>>) => of.invalidate({ tag: 't' })],
  ])('by %s is there after a power loss', async (_, remove) => {
    const path = freshPath();
    const first = await diskPool(path);
    first.put('a', 'p', 'one', { tags: ['t'] });
    first.put('b', 'p', 'stays');
    await Promise.all([first.persist('a'), first.persist('b')]);
    expect(remove(first)).toBe(1);
    expect(await loaded(first, 'a', 'p')).toBeUndefined();
    await first.persist('a');
    await first.close();
    losePower(path);
    const second = await diskPool(path);
    expect(await loaded(second, 'a', 'p')).toBeUndefined();
    expect(second.where('a', 'p')).toBeUndefined();
    expect(String(read(second, 'b', 'p'))).toBe('stays');
  });

  it('does not take what was written after it', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    first.put('a', 'p', 'one');
    await first.persist('a');
    first.delete('a', 'p');
    first.put('a', 'p', 'two');
    await first.persist('a');
    await first.close();
    losePower(path);
    const second = await diskPool(path);
    expect(String(read(second, 'a', 'p'))).toBe('two');
  });

  it('is not needed for what has expired', async () => {
    const path = freshPath();
    const clock = testClock();
    const first = await diskPool(path, { clock });
    first.put('a', 'p', 'one', { ttlMs: 1000 });
    first.put('b', 'p', 'one', { ttlMs: 1_000_000 });
    await Promise.all([first.persist('a'), first.persist('b')]);
    first.expire('b', 1000);
    await first.persist('b');
    await first.close();
    losePower(path);
    clock.advance(1001);
    const second = await diskPool(path, { clock });
    expect(await loaded(second, 'a', 'p')).toBeUndefined();
    expect(await loaded(second, 'b', 'p')).toBeUndefined();
  });
});
