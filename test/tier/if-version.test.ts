/** A version that is asked for counts wherever its part is when the change is made: what goes to the disk meanwhile is neither absent nor changed. */

import { describe, expect, it } from 'vitest';
import type { Draft, Pool } from '../../src/pool/api.ts';
import { freshPath, mib, read, refuses, testClock } from '../pool/support/pools.ts';
import { diskPool, evictAll, loaded } from './support/pools.ts';

const clock = testClock();

function roomy(): Promise<Pool> {
  return diskPool(freshPath(), { capacityBytes: 8 * mib, clock });
}

/** Lets part `p` of context `a` go to the disk. */
async function demote(of: Pool): Promise<void> {
  await of.persist('a');
  evictAll(of);
  expect(of.where('a', 'p')).toBe('disk');
}

function begun(of: Pool, ifVersion: number): Draft {
  const draft = of.beginPut('a', 'p', 3, { ifVersion });
  draft.write(Buffer.from('new'));
  return draft;
}

describe('a part that goes to the disk while another is written for its place', () => {
  it('is not taken for absent', async () => {
    const of = await roomy();
    const draft = begun(of, 0);
    of.put('a', 'p', 'theirs');
    await demote(of);
    refuses(() => draft.commit(), 'version_conflict');
    expect(String(await loaded(of, 'a', 'p'))).toBe('theirs');
  });

  it('is replaced in the version that was asked for', async () => {
    const of = await roomy();
    const version = of.put('a', 'p', 'old');
    const draft = begun(of, version);
    await demote(of);
    expect(draft.commit()).toBeGreaterThan(version);
    expect(String(read(of, 'a', 'p'))).toBe('new');
  });

  it('is not replaced in another version', async () => {
    const of = await roomy();
    const draft = begun(of, of.put('a', 'p', 'old'));
    of.put('a', 'p', 'theirs');
    await demote(of);
    refuses(() => draft.commit(), 'version_conflict');
    expect(String(await loaded(of, 'a', 'p'))).toBe('theirs');
  });

  it('is absent when its time is over', async () => {
    const of = await roomy();
    of.put('a', 'p', 'old', { ttlMs: 10 });
    await demote(of);
    clock.advance(10);
    expect(begun(of, 0).commit()).toBeGreaterThan(0);
    expect(String(read(of, 'a', 'p'))).toBe('new');
  });
});

describe('a part on the disk', () => {
  it('is put and deleted in the version it has, and in no other', async () => {
    const of = await roomy();
    const version = of.put('a', 'p', 'old');
    await demote(of);
    refuses(() => of.put('a', 'p', 'new', { ifVersion: version + 1 }), 'version_conflict');
    refuses(() => of.delete('a', 'p', { ifVersion: version + 1 }), 'version_conflict');
    const second = of.put('a', 'p', 'new', { ifVersion: version });
    await demote(of);
    expect(String(await loaded(of, 'a', 'p'))).toBe('new');
    evictAll(of);
    expect(of.delete('a', 'p', { ifVersion: second })).toBe(1);
    expect(await loaded(of, 'a', 'p')).toBeUndefined();
  });

  it('is not extended in the version it has', async () => {
    const of = await roomy();
    const version = of.put('a', 'p', 'old');
    await demote(of);
    refuses(() => of.append('a', 'p', ' more', { ifVersion: version }), 'part_on_disk');
    expect(String(await loaded(of, 'a', 'p'))).toBe('old');
  });
});
