/** Versions rise, whatever the clock does, and guard writes. */

import { describe, expect, it } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { contents, freshPath, pool, read, refuses, testClock } from './support/pools.ts';

function streamed(of: Pool, ifVersion?: number): number {
  const draft = of.beginPut('a', 'p', 10, ifVersion === undefined ? {} : { ifVersion });
  draft.write(Uint8Array.of(1));
  return draft.commit();
}

/** A part that is written, appended to, deleted and written again. @returns its versions in order */
function life(of: Pool): number[] {
  const versions = [
    of.put('a', 'p', Uint8Array.of(1)),
    of.append('a', 'p', Uint8Array.of(2)),
    of.append('a', 'p', new Uint8Array(10_000)),
    of.put('a', 'p', Uint8Array.of(3)),
    of.append('a', 'p', new Uint8Array(0)),
    streamed(of),
    of.append('a', 'p', Uint8Array.of(6)),
    of.append('a', 'p', Uint8Array.of(7)),
  ];
  expect(of.describe('a', 'p')?.version).toBe(versions.at(-1));
  expect(of.delete('a', 'p')).toBe(1);
  versions.push(of.put('a', 'p', Uint8Array.of(4)));
  of.delete('a');
  versions.push(of.append('a', 'p', Uint8Array.of(5)));
  return versions;
}

function expectRising(versions: readonly number[]): void {
  for (const [i, version] of versions.entries()) {
    expect(Number.isSafeInteger(version)).toBe(true);
    if (i > 0) expect(version).toBeGreaterThan(versions[i - 1] as number);
  }
}

describe('versions', () => {
  it('rise over the life of a part', async () => {
    expectRising(life(await pool()));
  });

  it.each([
    ['stands still', 0],
    ['runs backwards', -60_000],
    ['leaps', 10_000_000_000],
  ])('rise while the clock %s', async (_, stepMs) => {
    const clock = testClock();
    const path = freshPath();
    const versions: number[] = [];
    for (let opening = 0; opening < 4; opening++) {
      const of = await pool({ path, clock });
      versions.push(...life(of));
      clock.advance(stepMs);
      versions.push(...life(of));
      await of.close();
      clock.advance(stepMs);
    }
    expectRising(versions);
  });

  it('are those of the clock where it is ahead', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    const first = of.put('a', 'p', 'x');
    clock.advance(1000);
    const second = of.put('b', 'p', 'x');
    expect(second - first).toBe(1000 * 2048);
  });
});

describe('ifVersion', () => {
  it('lets a write through only when it is the current version', async () => {
    const of = await pool();
    const first = of.put('a', 'p', 'one', { ifVersion: 0 });
    const before = contents(of);
    for (const ifVersion of [0, first - 1, first + 1, 1, Number.MAX_SAFE_INTEGER]) {
      refuses(() => of.put('a', 'p', 'two', { ifVersion }), 'version_conflict');
      refuses(() => of.append('a', 'p', 'two', { ifVersion }), 'version_conflict');
      refuses(() => of.delete('a', 'p', { ifVersion }), 'version_conflict');
      refuses(() => of.beginPut('a', 'p', 10, { ifVersion }), 'version_conflict');
    }
    expect(contents(of)).toEqual(before);
    expect(of.stats().operations.versionConflicts).toBe(20);
    const second = of.append('a', 'p', ' two', { ifVersion: first });
    const third = of.put('a', 'p', 'three', { ifVersion: second });
    const fourth = streamed(of, third);
    expect(of.delete('a', 'p', { ifVersion: fourth })).toBe(1);
    expect(of.append('a', 'p', 'again', { ifVersion: 0 })).toBeGreaterThan(fourth);
  });

  it('of a part that is not there is 0', async () => {
    const clock = testClock();
    const of = await pool({ clock });
    expect(of.delete('a', 'p', { ifVersion: 0 })).toBe(0);
    refuses(() => of.delete('a', 'p', { ifVersion: 1 }), 'version_conflict');
    of.put('a', 'p', 'x', { ttlMs: 10 });
    clock.advance(10);
    of.put('a', 'p', 'y', { ifVersion: 0 });
    expect(read(of, 'a', 'p')?.toString()).toBe('y');
  });

  it('is asked for again when a draft is committed', async () => {
    const of = await pool();
    const first = of.put('a', 'p', 'one');
    const idle = of.stats().memory.liveBytes;
    const draft = of.beginPut('a', 'p', 5000, { ifVersion: first });
    of.append('a', 'p', ' more');
    draft.write(new Uint8Array(5000));
    refuses(() => draft.commit(), 'version_conflict');
    refuses(() => draft.commit(), 'invalid_argument');
    expect(read(of, 'a', 'p')?.toString()).toBe('one more');
    expect(of.stats().memory.liveBytes).toBe(idle);
  });

  it('may be named when a draft is committed, which can then be committed again', async () => {
    const of = await pool();
    const draft = of.beginPut('a', 'p', 5000);
    draft.write(Buffer.from('new'));
    const first = of.put('a', 'p', 'one');
    refuses(() => draft.commit(undefined, 0), 'version_conflict');
    refuses(() => draft.commit(undefined, -1), 'invalid_argument');
    expect(read(of, 'a', 'p')?.toString()).toBe('one');
    expect(draft.commit(undefined, first)).toBeGreaterThan(first);
    expect(read(of, 'a', 'p')?.toString()).toBe('new');
    refuses(() => draft.commit(undefined, first), 'invalid_argument');
    expect(of.draftBytes).toBe(0);
  });

  it('goes with a part, and is a whole number', async () => {
    const of = await pool();
    of.put('a', 'p', 'x');
    refuses(() => of.delete('a', undefined, { ifVersion: 1 }), 'invalid_argument');
    for (const ifVersion of [-1, 1.5, Number.NaN, 2 ** 53, '1', null]) {
      const options = { ifVersion: ifVersion as number };
      refuses(() => of.put('a', 'p', 'y', options), 'invalid_argument');
      refuses(() => of.append('a', 'p', 'y', options), 'invalid_argument');
      refuses(() => of.delete('a', 'p', options), 'invalid_argument');
    }
    expect(read(of, 'a', 'p')?.toString()).toBe('x');
  });
});
