/** A pool made anew from its disk: the newest parts come back as far as there is room, the others stay on the disk, and it is completed by whom it takes. */

import { describe, expect, it } from 'vitest';
import { expectSound, filled, freshPath, mib, read, testClock } from '../pool/support/pools.ts';
import { losePower } from '../support/lose-power.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

const partBytes = 100_000;

describe('a pool that is made anew', () => {
  it('has the newest parts in memory, and the others on the disk', async () => {
    const path = freshPath();
    const first = await diskPool(path, { capacityBytes: 8 * mib });
    // Twice as much as memory holds.
    for (let i = 0; i < 160; i++) {
      first.put(`${i}`, 'p', filled(partBytes, i));
      await first.persist(`${i}`);
    }
    first.put('pinned', 'p', 'x', { pinned: true });
    await first.persist('pinned');
    evictAll(first);
    await first.close();
    losePower(path);
    const tiers = { disk: { reserveBytes: 2 * mib } };
    const second = await diskPool(path, { tiers });
    const hot = Array.from({ length: 160 }, (_, i) => second.where(`${i}`, 'p') === 'hot');
    expect(second.where('pinned', 'p')).toBe('hot');
    const firstHot = hot.indexOf(true);
    expect(firstHot).toBeGreaterThan(80);
    expect(firstHot).toBeLessThan(130);
    expect(hot.lastIndexOf(false)).toBe(firstHot - 1);
    for (const i of [0, firstHot - 1, firstHot, 159]) {
      expect((await loaded(second, `${i}`, 'p'))?.equals(filled(partBytes, i)), `${i}`).toBe(true);
    }
    expectSound(second);
  });

  it('goes on where the one before it died', async () => {
    const path = freshPath();
    const first = await diskPool(path);
    for (let i = 0; i < 20; i++) {
      first.put(`${i}`, 'p', filled(1000, i));
      await first.persist(`${i}`);
    }
    await first.close();
    losePower(path);
    let parts = 0;
    const onStep = (step: string): void => {
      if (step === 'rebuild:part' && ++parts === 7) throw new Error('the process dies');
    };
    const dying = diskPool(path, { tiers: { disk: { onStep } } });
    await expect(dying).rejects.toThrow('the process dies');
    const second = await diskPool(path);
    for (let i = 0; i < 20; i++) {
      expect(read(second, `${i}`, 'p')?.equals(filled(1000, i)), `${i}`).toBe(true);
    }
    expectSound(second);
    // It is not made anew again.
    second.delete('3');
    await second.close();
    const third = await diskPool(path);
    expect(third.get('3', 'p')).toBeUndefined();
  });

  it('keeps the memory of a pool that was closed before the machine went down, but for what the disk has newer', async () => {
    const path = freshPath();
    const clock = testClock();
    const first = await diskPool(path, { clock });
    first.put('a', 'p', 'never persisted');
    first.put('b', 'p', 'persisted');
    await first.persist('b');
    await first.close();
    losePower(path, true);
    const second = await diskPool(path, { clock });
    expect(String(read(second, 'a', 'p'))).toBe('never persisted');
    expect(String(read(second, 'b', 'p'))).toBe('persisted');
    expectSound(second);
  });
});
