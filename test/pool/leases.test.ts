/** What a lease holds stays, whatever becomes of the part. */

import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  expectSound,
  filled,
  freshPath,
  mib,
  pool,
  read,
  refuses,
  testClock,
} from './support/pools.ts';

describe('a lease', () => {
  it('keeps its bytes when the part is replaced, and lets them go', async () => {
    const of = await pool();
    of.put('a', 'p', filled(5000, 1));
    const idle = of.stats().memory.liveBytes;
    const lease = of.get('a', 'p');
    of.put('a', 'p', filled(5000, 2));
    expect(of.stats().retiredParts).toBe(1);
    expect(bytesOf(lease)).toEqual(Buffer.alloc(5000, 1));
    expect(read(of, 'a', 'p')).toEqual(Buffer.alloc(5000, 2));
    expectSound(of);
    lease?.release();
    expect(of.stats().retiredParts).toBe(0);
    expect(of.stats().memory.liveBytes).toBe(idle);
    expectSound(of);
  });

  it('keeps its bytes when the part or its context is deleted', async () => {
    const of = await pool();
    for (const part of ['p', 'q', 'r']) of.put('a', part, filled(300, 7));
    const leases = ['p', 'q', 'r', 'r'].map((part) => of.get('a', part));
    expect(of.delete('a', 'p')).toBe(1);
    expect(of.delete('a')).toBe(2);
    expect(of.get('a', 'r')).toBeUndefined();
    of.put('a', 'r', filled(300, 8));
    for (const lease of leases) expect(bytesOf(lease)).toEqual(Buffer.alloc(300, 7));
    expectSound(of);
    for (const lease of leases) lease?.release();
    expect(of.stats()).toMatchObject({ parts: 1, retiredParts: 0 });
    expectSound(of);
  });

  it('keeps its bytes when the part expires or is invalidated', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    of.put('a', 'p', filled(100, 1), { ttlMs: 10 });
    of.put('a', 'q', filled(100, 2), { tags: ['t'] });
    const leases = [of.get('a', 'p'), of.get('a', 'q')];
    clock.advance(10);
    expect(of.get('a', 'p')).toBeUndefined();
    expect(of.invalidate({ tag: 't' })).toBe(1);
    expect(of.stats().retiredParts).toBe(2);
    expect(bytesOf(leases[0])).toEqual(Buffer.alloc(100, 1));
    expect(bytesOf(leases[1])).toEqual(Buffer.alloc(100, 2));
    for (const lease of leases) lease?.release();
    expect(of.stats().retiredParts).toBe(0);
    expectSound(of);
  });

  it('keeps its part from being evicted', async () => {
    const of = await pool({ capacityBytes: 4 * mib });
    of.put('kept', 'p', filled(100_000, 9));
    const lease = of.get('kept', 'p');
    for (let i = 0; i < 200; i++) of.put(`${i}`, 'p', filled(100_000, i));
    expect(of.stats().operations.evictions).toBeGreaterThan(100);
    expect(bytesOf(lease)).toEqual(Buffer.alloc(100_000, 9));
    expect(of.where('kept', 'p')).toBe('hot');
    lease?.release();
    for (let i = 0; i < 200; i++) of.put(`${i}`, 'p', filled(100_000, i));
    expect(of.where('kept', 'p')).toBeUndefined();
    expectSound(of);
  });

  it('shows the part as it was before an append', async () => {
    const of = await pool();
    of.put('a', 'p', filled(10, 1));
    const short = of.get('a', 'p');
    of.append('a', 'p', filled(10, 2));
    const long = of.get('a', 'p');
    of.append('a', 'p', filled(100_000, 3));
    expect(bytesOf(short)).toEqual(Buffer.alloc(10, 1));
    expect(bytesOf(long)).toEqual(Buffer.concat([Buffer.alloc(10, 1), Buffer.alloc(10, 2)]));
    expect(of.get('a', 'p')?.sizeBytes).toBe(100_020);
    expect(long?.version).toBe((short?.version ?? 0) + 1);
    expectSound(of);
  });

  it('may be released twice, and shows nothing then', async () => {
    const of = await pool();
    of.put('a', 'p', 'text');
    const first = of.get('a', 'p');
    const second = of.get('a', 'p');
    const { version } = first ?? {};
    first?.release();
    first?.release();
    first?.[Symbol.dispose]();
    refuses(() => first?.data, 'lease_released');
    refuses(() => first?.text(), 'lease_released');
    // What is known of the part is still known.
    expect(first).toMatchObject({ version, sizeBytes: 4, elementType: 'utf8', kind: 'metadata' });
    // The other one is not concerned: the part is still leased.
    of.delete('a');
    expect(second?.text()).toBe('text');
    expect(of.stats().retiredParts).toBe(1);
    second?.[Symbol.dispose]();
    expect(of.stats().retiredParts).toBe(0);
    refuses(() => second?.data, 'lease_released');
  });

  it('of one part among a thousand others is counted for itself', async () => {
    const of = await pool();
    for (let i = 0; i < 1000; i++) of.put(`${i}`, 'p', filled(100, i));
    const leases = Array.from({ length: 1000 }, (_, i) => of.get(`${i}`, 'p'));
    for (let i = 0; i < 1000; i++) of.delete(`${i}`);
    expect(of.stats().retiredParts).toBe(1000);
    for (const [i, lease] of leases.entries()) {
      expect(bytesOf(lease)).toEqual(Buffer.alloc(100, i));
      lease?.release();
      expect(of.stats().retiredParts).toBe(999 - i);
    }
    expectSound(of);
  });

  it('is one of several on its part, which goes with the last of them', async () => {
    const of = await pool();
    const ids = ['a', 'b', 'c'];
    for (const id of ids) of.put(id, 'p', filled(100, 1));
    // a three times, b twice, c once: ended in an order in which each part has others between its own.
    const leases = ['a', 'b', 'a', 'c', 'b', 'a'].map((id) => of.get(id, 'p'));
    for (const id of ids) of.delete(id);
    const retired = leases.map((lease) => {
      lease?.release();
      return of.stats().retiredParts;
    });
    expect(retired).toEqual([3, 3, 3, 2, 1, 0]);
    of.put('a', 'p', filled(100, 2));
    of.get('a', 'p')?.release();
    of.delete('a');
    expect(of.stats().retiredParts).toBe(0);
    expectSound(of);
  });

  it('ends with its pool: the view of a mapped one reads zeros', async () => {
    const path = freshPath();
    const of = await pool({ path });
    of.put('a', 'p', filled(1000, 5));
    of.put('a', 'q', filled(1000, 6));
    const lease = of.get('a', 'p');
    const replaced = of.get('a', 'q');
    const view = lease?.data as Uint8Array;
    of.delete('a', 'q');
    await of.close();
    expect(Buffer.from(view)).toEqual(Buffer.alloc(1000));
    lease?.release();
    replaced?.release();
    const again = await pool({ path });
    expect(again.stats()).toMatchObject({ parts: 1, retiredParts: 0 });
    expect(read(again, 'a', 'p')).toEqual(Buffer.alloc(1000, 5));
    expectSound(again);
    again.delete('a');
    expect(
      again
        .stats()
        .memory.kinds.slice(1)
        .map(({ liveBytes }) => liveBytes),
    ).toEqual([0, 0, 0, 0]);
  });
});

describe('drafts', () => {
  it('are invisible until they are committed', async () => {
    const of = await pool();
    of.put('a', 'p', 'old');
    const draft = of.beginPut('a', 'p', 3, { elementType: 'utf8', tags: ['t'] });
    draft.write(Buffer.from('a new '));
    draft.write(new Uint8Array(0));
    draft.write(Buffer.from('text'));
    expect(draft.sizeBytes).toBe(10);
    expect(of.get('a', 'p')?.text()).toBe('old');
    expectSound(of);
    const version = draft.commit();
    const lease = of.get('a', 'p');
    expect(lease?.text()).toBe('a new text');
    expect(lease?.version).toBe(version);
    expect(of.describe('a', 'p')?.tags).toEqual(['t']);
    draft.abort();
    refuses(() => draft.commit(), 'invalid_argument');
    refuses(() => draft.write(Uint8Array.of(1)), 'invalid_argument');
    expect(of.get('a', 'p')?.text()).toBe('a new text');
    expectSound(of);
  });

  it('give everything back when they are aborted', async () => {
    const of = await pool();
    of.put('a', 'p', 'old');
    const idle = of.stats().memory.liveBytes;
    for (const reserveBytes of [0, 10, 100_000]) {
      const draft = of.beginPut('a', 'p', reserveBytes);
      draft.write(filled(50_000, 1));
      draft.abort();
      draft.abort();
      expect(of.stats().memory.liveBytes).toBe(idle);
    }
    expect(of.get('a', 'p')?.text()).toBe('old');
  });

  it('do not keep more than they need', async () => {
    const of = await pool();
    of.put('warm', 'p', filled(100, 0));
    const idle = of.stats().memory.liveBytes;
    const draft = of.beginPut('a', 'p', 1_000_000);
    draft.write(filled(100, 1));
    draft.commit();
    expect(of.stats().memory.liveBytes).toBeLessThan(idle + 1000);
    const empty = of.beginPut('a', 'q', 1_000_000);
    empty.commit();
    expect(read(of, 'a', 'q')).toEqual(Buffer.alloc(0));
    expect(of.stats().memory.liveBytes).toBeLessThan(idle + 1000);
    expectSound(of);
  });

  it('are committed where there is no room for a smaller copy', async () => {
    const of = await pool({ capacityBytes: 4 * mib });
    of.put('a', 'q', 'first');
    const draft = of.beginPut('a', 'p', 400_000);
    const pinned = { pinned: true };
    let count = 0;
    for (let sizeBytes = 100_000; sizeBytes >= 4096; sizeBytes /= 2) {
      try {
        for (;;) of.put(`${count}`, 'p', filled(sizeBytes, count++), pinned);
      } catch (error) {
        expect(error).toMatchObject({ code: 'pool_full' });
      }
    }
    draft.write(filled(200_000, 1));
    draft.commit();
    expect(read(of, 'a', 'p')).toEqual(Buffer.alloc(200_000, 1));
    expectSound(of);
  });

  it('are gone with their pool', async () => {
    const path = freshPath();
    const of = await pool({ path });
    const draft = of.beginPut('a', 'p', 500_000);
    draft.write(filled(400_000, 1));
    await of.close();
    refuses(() => draft.write(filled(1, 1)), 'pool_closed');
    refuses(() => draft.commit(), 'pool_closed');
    draft.abort();
    const again = await pool({ path });
    expect(again.stats()).toMatchObject({ parts: 0 });
    expect(again.stats().memory.liveBytes).toBeLessThan(100_000);
    expectSound(again);
  });
});
