/** Locks in pool memory: one thread plays all owners, with a clock of its own. lock-interleaved.test.ts and lock-processes.test.ts have the rest. */

import { describe, expect, it } from 'vitest';
import {
  defaultLockWaitMs,
  holderLives,
  lock,
  lockTokenOf,
  lockWaitOf,
  slotOfToken,
  tokenOf,
  tokenOfSlot,
  tryLock,
  unlock,
} from '../../src/memory/lock.ts';
import { ownerSlot, ownerWord } from '../../src/memory/owners.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';
import { playedWait } from './support/played-wait.ts';
import { identity, mib, segmentOf } from './support/regions.ts';

const at = 3;
const [mine, theirs, others] = [tokenOf(0, 1), tokenOf(5, 1), tokenOf(6, 9)];

function wordsHeldBy(token: number): Int32Array {
  const words = new Int32Array(8);
  words[at] = token;
  return words;
}

describe('a token', () => {
  it('is a positive number below 2^31 that names slot and epoch', () => {
    for (const slot of [0, 1, 62, 63]) {
      for (const epoch of [0, 1, 0xff_ff_ff, 0x7f_ff_ff_ff]) {
        const token = tokenOf(slot, epoch);
        expect(token > 0 && token < 2 ** 31).toBe(true);
        expect(token | 0).toBe(token);
        expect(slotOfToken(token)).toBe(slot);
      }
    }
    expect(slotOfToken(0)).toBe(-1);
    const all = [0, 1, 63].flatMap((slot) => [0, 1, 2].map((epoch) => tokenOf(slot, epoch)));
    expect(new Set(all).size).toBe(9);
  });

  it('changes with every taking of its slot, and belongs to the living only', () => {
    const region = createSharedRegion({ capacityBytes: 4 * mib, ...identity });
    const first = attachSharedRegion(region.handle);
    const token = lockTokenOf(first);
    expect(token).toBe(tokenOfSlot(region, 1));
    expect([token, lockTokenOf(region)].map((each) => holderLives(region, each))).toEqual([
      true,
      true,
    ]);
    first.close();
    expect(holderLives(region, token)).toBe(false);
    const second = attachSharedRegion(region.handle);
    expect(second.ownerSlot).toBe(1);
    expect(lockTokenOf(second)).not.toBe(token);
    expect([token, lockTokenOf(second)].map((each) => holderLives(region, each))).toEqual([
      false,
      true,
    ]);
    second.close();
    region.close();
  });

  it('of no slot is nobody', () => {
    const region = createSharedRegion({ capacityBytes: 4 * mib, ...identity, ownersMax: 3 });
    for (const token of [0, tokenOf(3, 0), 0x7f, 0x7f_ff_ff_ff, -1])
      expect(holderLives(region, token)).toBe(false);
    segmentOf(region, 0).words[ownerWord(0, ownerSlot.epoch)] = 0x7f_ff_ff_ff;
    expect(holderLives(region, lockTokenOf(region))).toBe(true);
    region.close();
  });
});

describe('a lock', () => {
  it('is taken when it is free, and by one only', () => {
    const words = new Int32Array(8);
    expect(tryLock(words, at, mine)).toBe(true);
    expect(tryLock(words, at, theirs)).toBe(false);
    expect(words[at]).toBe(mine);
    unlock(words, at);
    expect([...words]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    const { wait, log } = playedWait();
    expect(lock(words, at, theirs, wait)).toBe('taken');
    expect(words[at]).toBe(theirs);
    expect(log).toEqual([]);
  });

  it('is waited for as long as was said, with pauses that grow, while its holder lives', () => {
    const words = wordsHeldBy(theirs);
    const { wait, log, pauses, now } = playedWait({ waitMs: 20 });
    expect(lock(words, at, mine, wait)).toBe('busy');
    expect(words[at]).toBe(theirs);
    expect(now()).toBe(20);
    expect(pauses.slice(0, 7)).toEqual([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2]);
    expect(Math.max(...pauses)).toBe(2);
    expect(log.filter((event) => event === `lives ${theirs}`).length).toBe(pauses.length + 1);
  });

  it('is not waited for at all when the wait is 0', () => {
    const { wait, pauses } = playedWait({ waitMs: 0 });
    expect(lock(wordsHeldBy(theirs), at, mine, wait)).toBe('busy');
    expect(lock(wordsHeldBy(theirs), at, mine, { ...wait, lives: () => false })).toBe('inherited');
    expect(lock(wordsHeldBy(theirs), at, mine, { ...wait, waitMs: Number.NaN })).toBe('busy');
    expect(pauses).toEqual([]);
  });

  it('is taken when its holder lets go meanwhile', () => {
    const words = wordsHeldBy(theirs);
    const { wait, pauses } = playedWait({
      onPause: (n) => {
        if (n === 4) unlock(words, at);
      },
    });
    expect(lock(words, at, mine, wait)).toBe('taken');
    expect(words[at]).toBe(mine);
    expect(pauses.length).toBe(4);
  });

  it('is inherited when its holder dies meanwhile', () => {
    const words = wordsHeldBy(theirs);
    let alive = true;
    const { wait, pauses } = playedWait({
      onPause: (n) => {
        alive = n < 3;
      },
      lives: () => alive,
    });
    expect(lock(words, at, mine, wait)).toBe('inherited');
    expect(words[at]).toBe(mine);
    expect(pauses.length).toBe(3);
  });

  it('that was inherited goes on to the next heir when the first dies over it', () => {
    const words = wordsHeldBy(theirs);
    const { wait } = playedWait({ lives: (token) => token === mine });
    expect(lock(words, at, others, wait)).toBe('inherited');
    expect(lock(words, at, mine, wait)).toBe('inherited');
    unlock(words, at);
    expect(lock(words, at, mine, wait)).toBe('taken');
  });

  it('that an owner has already is busy at once for itself', () => {
    const { wait, log } = playedWait({ lives: () => false });
    expect(lock(wordsHeldBy(mine), at, mine, wait)).toBe('busy');
    expect(log).toEqual(['now']);
  });

  it('is waited for by default as long as the limit says', () => {
    const region = createSharedRegion({ capacityBytes: 4 * mib, ...identity });
    const other = attachSharedRegion(region.handle);
    const { wait, now } = playedWait();
    const words = wordsHeldBy(lockTokenOf(other));
    expect(lock(words, at, lockTokenOf(region), lockWaitOf(region, undefined, wait))).toBe('busy');
    expect(now()).toBe(defaultLockWaitMs);
    other.close();
    expect(lock(words, at, lockTokenOf(region), lockWaitOf(region))).toBe('inherited');
    region.close();
  });
});
