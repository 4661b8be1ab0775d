/** Time to live, tags, pins and hints, and the list of contexts. */

import { describe, expect, it } from 'vitest';
import {
  contents,
  expectSound,
  filled,
  freshPath,
  mib,
  pool,
  refuses,
  testClock,
} from './support/pools.ts';

describe('time to live', () => {
  it('ends at its millisecond', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    of.put('a', 'p', 'x', { ttlMs: 100 });
    of.put('a', 'q', 'x');
    expect(of.describe('a', 'p')?.expiresAtMs).toBe(clock.nowMs() + 100);
    expect(of.describe('a', 'q')?.expiresAtMs).toBeUndefined();
    clock.advance(99);
    of.get('a', 'p')?.release();
    expect(of.where('a', 'p')).toBe('hot');
    clock.advance(1);
    // Hidden at once, before anything has met it.
    expect(of.list().map(({ parts }) => parts.map(({ part }) => part))).toEqual([['q']]);
    expect(of.context('a')?.parts.length).toBe(1);
    expect(of.get('a', 'p')).toBeUndefined();
    expect(of.describe('a', 'p')).toBeUndefined();
    expect(of.where('a', 'p')).toBeUndefined();
    expect(of.stats().operations.expirations).toBe(1);
    expectSound(of);
  });

  it('of all parts ends that of their context', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    of.put('a', 'first', 'x');
    of.put('a', 'last', 'x', { ttlMs: 50 });
    of.put('b', 'first', 'x', { ttlMs: 50 });
    of.put('b', 'last', 'x');
    const all = (): unknown[] => ['a', 'b', 'c'].map((id) => of.has(id));
    const counts = (): unknown[] => ['a', 'b', 'c'].map((id) => of.context(id, { limit: 0 }));
    const counted = (id: string, partCount: number): object => ({ id, parts: [], partCount });
    expect(all()).toEqual([true, true, false]);
    expect(counts()).toEqual([counted('a', 2), counted('b', 2), undefined]);
    clock.advance(50);
    expect(all()).toEqual([true, true, false]);
    expect(counts()).toEqual([counted('a', 1), counted('b', 1), undefined]);
    of.delete('a', 'first');
    of.expire('b', 10);
    clock.advance(10);
    expect(all()).toEqual([false, false, false]);
    refuses(() => of.has(''), 'invalid_argument');
  });

  it('is set, moved and taken away by expire', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    of.put('a', 'p', 'x');
    of.put('a', 'q', 'x', { ttlMs: 50 });
    expect(of.expire('a', 1000)).toBe(2);
    clock.advance(500);
    expect(of.expire('a', undefined, 'q')).toBe(1);
    expect(of.expire('a', 2 ** 47, 'p')).toBe(1);
    expect(of.describe('a', 'p')?.expiresAtMs).toBe(clock.nowMs() + 2 ** 47);
    clock.advance(2 ** 46);
    expect(of.context('a')?.parts.length).toBe(2);
    expect(of.expire('a', 1, 'p')).toBe(1);
    clock.advance(1);
    expect(of.expire('a', 1000)).toBe(1);
    expect(of.expire('none', 1000)).toBe(0);
    expect(of.expire('a', 1000, 'none')).toBe(0);
    expectSound(of);
  });

  it('is kept by appends, and not by puts', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    of.put('a', 'p', 'x', { ttlMs: 100 });
    const at = of.describe('a', 'p')?.expiresAtMs;
    of.append('a', 'p', 'y');
    of.append('a', 'p', 'z'.repeat(10_000));
    expect(of.describe('a', 'p')?.expiresAtMs).toBe(at);
    of.put('a', 'p', 'x');
    expect(of.describe('a', 'p')?.expiresAtMs).toBeUndefined();
  });

  it('outlives the process', async () => {
    const clock = testClock();
    const path = freshPath();
    const of = await pool({ path, clock });
    of.put('a', 'p', 'x', { ttlMs: 100 });
    of.put('a', 'q', 'x', { ttlMs: 300 });
    await of.close();
    clock.advance(200);
    const again = await pool({ path, clock });
    expect(again.context('a')?.parts.map(({ part }) => part)).toEqual(['q']);
  });

  it('is swept, a limited number of entries at a time', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    for (let i = 0; i < 100; i++) of.put(`${i}`, 'p', 'x', i % 2 === 0 ? { ttlMs: 10 } : {});
    expect(of.sweepExpired()).toBe(0);
    clock.advance(10);
    const removed = Array.from({ length: 20 }, () => of.sweepExpired(10));
    expect(removed.every((count) => count <= 10)).toBe(true);
    expect(removed.reduce((sum, count) => sum + count, 0)).toBe(50);
    expect(of.stats().parts).toBe(50);
    expectSound(of);
  });

  it('never makes a page of the list short', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    for (let i = 0; i < 20; i++) of.put(`a-${i}`, 'p', 'x', { ttlMs: 10 });
    of.put('b-1', 'p', 'x');
    of.put('b-2', 'p', 'x');
    clock.advance(10);
    expect(of.list({ limit: 2 }).map(({ id }) => id)).toEqual(['b-1', 'b-2']);
  });

  it.each([0, -1, 0.5, Number.NaN, Infinity, 2 ** 47 + 1, '5'])('may not be %s', async (ttlMs) => {
    const of = await pool();
    of.put('a', 'p', 'x');
    refuses(() => of.put('a', 'p', 'y', { ttlMs: ttlMs as number }), 'invalid_argument');
    refuses(() => of.expire('a', ttlMs as number), 'invalid_argument');
    expect(of.get('a', 'p')?.text()).toBe('x');
    expect(of.describe('a', 'p')?.expiresAtMs).toBeUndefined();
  });
});

describe('tags', () => {
  it('take every part with them', async () => {
    const of = await pool();
    of.put('a', 'p', 'x', { tags: ['doc-7', 'doc-8', 'doc-7'] });
    of.put('a', 'q', 'x', { tags: ['doc-7'], pinned: true });
    of.put('b', 'p', 'x', { tags: ['doc-8'], dependsOn: ['a', 'c'] });
    of.put('c', 'p', 'x');
    expect(of.describe('a', 'p')?.tags).toEqual(['doc-7', 'doc-8']);
    expect(of.describe('b', 'p')?.tags).toEqual(['doc-8', 'dep:a', 'dep:c']);
    expect(of.invalidate({ tag: 'doc-7' })).toBe(2);
    expect(of.invalidate({ tag: 'doc-7' })).toBe(0);
    expect(of.invalidate({ tag: 'doc' })).toBe(0);
    expect(of.invalidate({ tag: 'dep:a' })).toBe(1);
    expect(of.list().map(({ id }) => id)).toEqual(['c']);
    expect(of.stats()).toMatchObject({ parts: 1, pinnedParts: 0 });
    expectSound(of);
  });

  it('are replaced with the part, and kept by appends', async () => {
    const of = await pool();
    of.put('a', 'p', 'x', { tags: ['old', 'both'] });
    of.append('a', 'p', 'y'.repeat(5000));
    expect(of.describe('a', 'p')?.tags).toEqual(['old', 'both']);
    of.put('a', 'p', 'z', { tags: ['both', 'new'] });
    expect(of.invalidate({ tag: 'old' })).toBe(0);
    expect(of.invalidate({ tag: 'both' })).toBe(1);
    expectSound(of);
  });

  it('outlive the process', async () => {
    const path = freshPath();
    const of = await pool({ path });
    for (let i = 0; i < 500; i++) of.put(`${i}`, 'p', 'x', { tags: [`t-${i % 7}`, `only-${i}`] });
    await of.close();
    const again = await pool({ path });
    expectSound(again);
    expect(again.invalidate({ tag: 't-3' })).toBe(71);
    expect(again.invalidate({ tag: 'only-10' })).toBe(0);
    expect(again.invalidate({ tag: 'only-11' })).toBe(1);
    expectSound(again);
  });

  it('are at most 64', async () => {
    const of = await pool();
    const tags = Array.from({ length: 64 }, (_, i) => `t-${i}`);
    of.put('a', 'p', 'x', { tags });
    expect(of.describe('a', 'p')?.tags).toEqual(tags);
    refuses(() => of.put('a', 'p', 'y', { tags: [...tags, 'one'] }), 'invalid_argument');
    refuses(() => of.put('a', 'p', 'y', { tags, dependsOn: ['b'] }), 'invalid_argument');
    expect(of.get('a', 'p')?.text()).toBe('x');
    expectSound(of);
  });
});

describe('pins and hints', () => {
  it('keep parts, and say what may go first', async () => {
    const of = await pool({ capacityBytes: 4 * mib });
    for (const id of ['pinned', 'waiting', 'over']) of.put(id, 'p', filled(50_000, 1));
    expect(of.pin('pinned')).toBe(1);
    expect(of.pin('pinned', 'p')).toBe(1);
    expect(of.stats().pinnedParts).toBe(1);
    expect(of.hint('waiting', { toolPending: true, stop: 'tool_use' })).toBe(1);
    expect(of.hint('over', { closed: true, stop: 'end_turn' })).toBe(1);
    expect(of.hint('none', { closed: true })).toBe(0);
    for (let i = 0; of.where('over', 'p') !== undefined; i++)
      of.put(`${i}`, 'p', filled(50_000, 1));
    expect(of.where('waiting', 'p')).toBe('hot');
    for (let i = 0; i < 300; i++) of.put(`${i}`, 'p', filled(50_000, 1));
    expect(of.where('waiting', 'p')).toBeUndefined();
    expect(of.where('pinned', 'p')).toBe('hot');
    expect(of.unpin('pinned')).toBe(1);
    expect(of.stats().pinnedParts).toBe(0);
    for (let i = 0; i < 300; i++) of.put(`${i}`, 'p', filled(50_000, 1));
    expect(of.where('pinned', 'p')).toBeUndefined();
    expectSound(of);
  });

  it('refuse a stop reason that there is not', async () => {
    const of = await pool();
    of.put('a', 'p', 'x');
    refuses(() => of.hint('a', { stop: 'tired' as 'length' }), 'invalid_argument');
  });
});

describe('the list', () => {
  const ids = ['a', 'aa', 'ab', 'b', 'B', 'ß', '字', '𝕏', '\uffee', '\0', 'a\0', '\ufeff'];
  const sorted = ids.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));

  it('is in the order of UTF-8 bytes, page by page', async () => {
    const of = await pool();
    for (const id of ids) of.put(id, 'p', id);
    expect(of.list().map(({ id }) => id)).toEqual(sorted);
    for (let limit = 1; limit <= ids.length + 1; limit++) {
      const pages: string[] = [];
      for (let page = of.list({ limit }); page.length > 0;) {
        pages.push(...page.map(({ id }) => id));
        page = of.list({ limit, after: pages.at(-1) as string });
      }
      expect(pages).toEqual(sorted);
    }
    expect(of.list({ after: 'ab' })[0]?.id).toBe('b');
    expect(of.list({ after: 'aba' })[0]?.id).toBe('b');
  });

  it('is that of a prefix', async () => {
    const of = await pool();
    for (const id of ids) of.put(id, 'p', id);
    for (const prefix of ['a', 'aa', '', '字', 'none', '\0']) {
      const expected = sorted.filter((id) => id.startsWith(prefix));
      expect(of.list({ prefix }).map(({ id }) => id)).toEqual(expected);
    }
    expect(of.list({ prefix: 'a', after: 'a', limit: 2 }).map(({ id }) => id)).toEqual([
      'a\0',
      'aa',
    ]);
  });

  it('of thousands is cut at the limit', async () => {
    const of = await pool({ capacityBytes: 64 * mib });
    for (let i = 0; i < 12_000; i++) of.put(`${i}`, 'p', '');
    const all = Array.from({ length: 12_000 }, (_, i) => `${i}`).sort((x, y) => (x < y ? -1 : 1));
    expect(of.list().map(({ id }) => id)).toEqual(all.slice(0, 1000));
    expect(of.list({ limit: 10_000 }).map(({ id }) => id)).toEqual(all.slice(0, 10_000));
    expect(of.list({ limit: 1 }).map(({ id }) => id)).toEqual(['0']);
    expectSound(of);
  });

  it.each([
    [{ limit: 0 }],
    [{ limit: 10_001 }],
    [{ limit: 1.5 }],
    [{ limit: '5' }],
    [{ prefix: 5 }],
    [{ prefix: '\ud800' }],
    [{ after: '\udc00' }],
    [{ after: null }],
  ])('refuses %j', async (options) => {
    const of = await pool();
    refuses(() => of.list(options as object), 'invalid_argument');
  });

  it('tells all that is known of a context', async () => {
    const of = await pool();
    of.put('a', 'q', Uint32Array.of(1, 2), { pinned: true, sensitive: true, tags: ['t'] });
    of.put('a', 'p', 'x', { kind: 'blob' });
    expect(of.context('a')).toEqual(of.list()[0]);
    expect(contents(of)).toMatchObject([
      {
        id: 'a',
        parts: [
          { part: 'p', kind: 'blob', elementType: 'utf8', sizeBytes: 1, pinned: false },
          {
            part: 'q',
            kind: 'tokens',
            elementType: 'u32',
            sizeBytes: 8,
            pinned: true,
            sensitive: true,
            tags: ['t'],
          },
        ],
      },
    ]);
    expect(of.context('b')).toBeUndefined();
    of.delete('a');
    expect(of.context('a')).toBeUndefined();
    expect(of.list()).toEqual([]);
  });
});
