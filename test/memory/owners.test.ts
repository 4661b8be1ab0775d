/** Owner slots: taken, given back, left by the dead, and reclaimed by one survivor at a time. */

import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { segmentLockWord } from '../../src/memory/layout.ts';
import { holderLives, lock, lockTokenOf, lockWaitOf, tryLock } from '../../src/memory/lock.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import { osCalls } from '../../src/memory/os.ts';
import {
  abandonSlotsOf,
  claimOwnerSlot,
  ownerAbandoned,
  ownerFree,
  ownerLive,
  ownerSlot,
  ownerWord,
} from '../../src/memory/owners.ts';
import type { Region } from '../../src/memory/region.ts';
import { attachSharedRegion, createSharedRegion } from '../../src/memory/shared.ts';
import { watchWorker } from '../../src/memory/worker-exit.ts';
import { accessCount, armCrash, Crash, disarm, interrupt } from '../support/instrumented-words.ts';
import { impatient, mortalJoin, mortalMapped } from './support/mortal.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './support/regions.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

afterEach(disarm);

const options = { capacityBytes: 8 * mib, segmentBytes: 4 * mib, ownersMax: 4, ...identity };

function nothing(): void {}

const subjects: { readonly name: 'shared' | 'mapped'; readonly create: () => Region }[] = [
  { name: 'shared', create: () => createSharedRegion(options, impatient) },
  {
    name: 'mapped',
    create: () => mortalMapped(join(temporaryFolder(), 'pool'), 'own', options).region,
  },
];

function fieldOf(region: Region, slot: number, field: number): number {
  return segmentOf(region, 0).words[ownerWord(slot, field)] as number;
}

function stateOf(region: Region, slot: number): number {
  return fieldOf(region, slot, ownerSlot.state);
}

describe.each(subjects)('a slot of a $name region', ({ name, create }) => {
  it('has a higher epoch each time that it is taken', () => {
    const region = create();
    expect(fieldOf(region, 0, ownerSlot.epoch)).toBe(1);
    for (const epoch of [1, 2, 3]) {
      const { region: other } = mortalJoin(region);
      expect(other.ownerSlot).toBe(1);
      expect(fieldOf(region, 1, ownerSlot.epoch)).toBe(epoch);
      other.close();
      expect([stateOf(region, 1), fieldOf(region, 1, ownerSlot.epoch)]).toEqual([ownerFree, epoch]);
    }
    region.close();
  });

  it('that the dead have left is taken by nobody before it was reclaimed', () => {
    const region = create();
    const { region: victim, die } = mortalJoin(region);
    const token = lockTokenOf(victim);
    die();
    expect(region.ownerLives(1)).toBe(false);
    const second = mortalJoin(region).region;
    const third = mortalJoin(region).region;
    expect([second.ownerSlot, third.ownerSlot]).toEqual([2, 3]);
    second.close();
    let cleared = 0;
    const clear = (): void => {
      cleared += 1;
      expect([stateOf(region, 1), region.ownerLives(1)]).toEqual([ownerAbandoned, false]);
      expect(third.reclaim?.(1, () => void (cleared += 10))).toBe(false);
      expect(mortalJoin(third).region.ownerSlot).toBe(2);
    };
    expect([region.reclaim?.(1, clear), cleared, stateOf(region, 1)]).toEqual([true, 1, ownerFree]);
    expect([region.reclaim?.(1, clear), cleared]).toEqual([false, 1]);
    const next = mortalJoin(region).region;
    expect([next.ownerSlot, next.slotAbandoned]).toEqual([1, false]);
    expect([holderLives(region, token), holderLives(region, lockTokenOf(next))]).toEqual([
      false,
      true,
    ]);
  });

  it('is not reclaimed from the living, nor from oneself', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    for (const slot of [0, 1, 2]) {
      expect(region.reclaim?.(slot, () => expect.unreachable())).toBe(false);
      expect(other.reclaim?.(slot, () => expect.unreachable())).toBe(false);
    }
    expect([stateOf(region, 0), stateOf(region, 1)]).toEqual([ownerLive, ownerLive]);
    for (const slot of [-1, 4, 1.5, Number.NaN])
      expect(codeOf(() => region.reclaim?.(slot, nothing))).toBe('invalid_argument');
  });

  it('stays abandoned when the survivor fails, and can be reclaimed again', () => {
    const region = create();
    const { region: other, die } = mortalJoin(region);
    segmentOf(other, 0).words[ownerWord(1, ownerSlot.intentOp)] = 7;
    die();
    const failing = (): never => {
      throw new Error('no');
    };
    expect(() => region.reclaim?.(1, failing)).toThrow('no');
    expect(stateOf(region, 1)).toBe(ownerAbandoned);
    const { region: third } = mortalJoin(region);
    expect(third.reclaim?.(1, nothing)).toBe(true);
    // What it intended may be for others to finish.
    expect(fieldOf(region, 1, ownerSlot.intentOp)).toBe(7);
    const { region: next } = mortalJoin(region);
    expect([next.ownerSlot, fieldOf(region, 1, ownerSlot.intentOp)]).toEqual([1, 7]);
    // Nor does one who could not open the store finish it.
    next.close();
    expect([stateOf(region, 1), fieldOf(region, 1, ownerSlot.intentOp)]).toEqual([ownerFree, 7]);
  });

  it('is reclaimed by a survivor of the survivor, wherever that one dies', () => {
    const region = create();
    for (let k = 1, crashed = true; crashed; k += 1) {
      const [first, second] = [mortalJoin(region), mortalJoin(region)];
      const slot = first.region.ownerSlot;
      first.die();
      armCrash(k);
      try {
        second.region.reclaim?.(slot, nothing);
        crashed = false;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      } finally {
        disarm();
      }
      second.die();
      const left = stateOf(region, slot) !== ownerFree;
      expect(region.reclaim?.(slot, nothing)).toBe(left);
      expect(region.reclaim?.(second.region.ownerSlot, nothing)).toBe(true);
      expect([1, 2, 3].map((each) => stateOf(region, each))).toEqual([0, 0, 0]);
    }
  });

  it('is reclaimed once by two survivors, whoever is interrupted where', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    for (let k = 1, reached = true; reached; k += 1) {
      const { region: victim, die } = mortalJoin(region);
      expect(victim.ownerSlot).toBe(2);
      die();
      let cleared = 0;
      const clear = (): void => void (cleared += 1);
      interrupt(k, () => void other.reclaim?.(2, clear));
      region.reclaim?.(2, clear);
      reached = accessCount() >= k;
      disarm();
      expect([k, cleared, stateOf(region, 2)]).toEqual([k, 1, ownerFree]);
    }
  });

  it('is not taken from who has it next, whenever a second survivor is interrupted', () => {
    const region = create();
    const { region: other } = mortalJoin(region);
    for (let k = 1, reached = true; reached; k += 1) {
      mortalJoin(region).die();
      let next: Region | undefined;
      let cleared = 0;
      const clear = (): void => void (cleared += 1);
      interrupt(k, () => {
        if (other.reclaim?.(2, clear) === true) next = mortalJoin(region).region;
      });
      region.reclaim?.(2, clear);
      reached = accessCount() >= k;
      disarm();
      expect([k, cleared, next === undefined || region.ownerLives(2)]).toEqual([k, 1, true]);
      next?.close();
    }
  });

  it('lets its locks be inherited while it is being reclaimed', () => {
    const region = create();
    const { region: other, die } = mortalJoin(region);
    const { words } = segmentOf(region, 0);
    expect(tryLock(words, segmentLockWord, lockTokenOf(other))).toBe(true);
    die();
    const done = region.reclaim?.(1, () => {
      const outcome = lock(words, segmentLockWord, lockTokenOf(region), lockWaitOf(region, 0));
      expect(outcome).toBe('inherited');
    });
    expect(done).toBe(true);
  });

  it('cannot be reclaimed by an onlooker', () => {
    const region = create();
    if (name === 'shared') return;
    const { handle } = region;
    const looker = openMappedRegion(handle.type === 'mapped' ? handle.path : '', 'inspect');
    expect(codeOf(() => looker.reclaim?.(0, nothing))).toBe('read_only');
    looker.close();
  });
});

describe('who takes a slot of a shared region', () => {
  /** Takes slot 1 at every access of what frees it. */
  function takenAtEvery(frees: (region: Region, leaver: Region) => void): void {
    for (let k = 1, reached = true; reached; k += 1) {
      const region = createSharedRegion(options);
      const leaver = attachSharedRegion(region.handle);
      const { words } = segmentOf(region, 0);
      words[ownerWord(1, ownerSlot.pid)] = 1;
      let next: Region | undefined;
      interrupt(k, () => {
        next = attachSharedRegion(region.handle);
        if (next.ownerSlot === 1) words[ownerWord(1, ownerSlot.intentOp)] = 8;
      });
      frees(region, leaver);
      reached = accessCount() >= k;
      disarm();
      if (next?.ownerSlot !== 1) continue;
      expect(fieldOf(region, 1, ownerSlot.pid)).toBe(process.pid);
      expect(fieldOf(region, 1, ownerSlot.intentOp)).toBe(8);
      expect(region.ownerLives(1)).toBe(true);
    }
  }

  it('has it to itself from then on, though its last owner is just leaving', () => {
    takenAtEvery((_, leaver) => leaver.close());
  });

  it('has it to itself from then on, though it is just being reclaimed', () => {
    takenAtEvery((region) => {
      segmentOf(region, 0).words[ownerWord(1, ownerSlot.state)] = ownerAbandoned;
      region.reclaim?.(1, nothing);
    });
  });
});

describe('the thread of a shared owner', () => {
  it('is known from the first moment on that it has a slot', () => {
    const who = { pid: 1, tid: 77, startTime: 3 };
    for (let k = 1; ; k += 1) {
      const region = createSharedRegion(options);
      const { words } = segmentOf(region, 0);
      armCrash(k);
      let crashed = false;
      try {
        claimOwnerSlot(words, 4, who);
      } catch (error) {
        crashed = error instanceof Crash;
      }
      disarm();
      const taken = stateOf(region, 1) !== ownerFree;
      expect(abandonSlotsOf(words, 4, 76)).toEqual([]);
      expect(abandonSlotsOf(words, 4, 77)).toEqual(taken ? [1] : []);
      expect(stateOf(region, 1)).toBe(taken ? ownerAbandoned : ownerFree);
      expect(stateOf(region, 0)).toBe(ownerLive);
      if (!crashed) break;
    }
  });

  it('has its slots abandoned when it is said to have ended, and nobody else has', () => {
    const region = createSharedRegion(options);
    const [first, second] = [attachSharedRegion(region.handle), attachSharedRegion(region.handle)];
    const { words } = segmentOf(region, 0);
    words[ownerWord(1, ownerSlot.tid)] = 501;
    words[ownerWord(2, ownerSlot.tid)] = 502;
    expect(region.threadExited?.(500)).toEqual([]);
    expect(region.threadExited?.(501)).toEqual([1]);
    expect(region.threadExited?.(501)).toEqual([]);
    expect([0, 1, 2].map((slot) => region.ownerLives(slot))).toEqual([true, false, true]);
    second.close();
    expect(region.threadExited?.(502)).toEqual([]);
    expect(codeOf(() => [0, 0].map(() => attachSharedRegion(region.handle)))).toBe('none');
    expect(codeOf(() => attachSharedRegion(region.handle))).toBe('too_many_owners');
    expect(region.reclaim?.(1, nothing)).toBe(true);
    expect(attachSharedRegion(region.handle).ownerSlot).toBe(1);
    first.close();
    region.close();
    expect(region.threadExited?.(0)).toEqual([]);
  });

  it('needs no word in a mapped region', () => {
    const { region } = mortalMapped(join(temporaryFolder(), 'pool'), 'own', options);
    mortalJoin(region);
    expect(region.threadExited?.(0)).toEqual([]);
    expect(region.ownerLives(1)).toBe(true);
    region.close();
  });

  it('is watched through its exit', () => {
    const told: number[] = [];
    const exits: (() => void)[] = [];
    const worker = {
      threadId: 9,
      once: (_: 'exit', listener: () => void) => exits.push(listener),
    };
    const region = createSharedRegion(options);
    attachSharedRegion(region.handle);
    segmentOf(region, 0).words[ownerWord(1, ownerSlot.tid)] = 9;
    watchWorker(worker, region, (slot) => told.push(slot));
    worker.threadId = -1; // as it is when a worker has exited
    for (const exit of exits) exit();
    expect(told).toEqual([1]);
  });
});

describe('slot 0', () => {
  it('is waited for while a survivor reclaims it from its dead owner', () => {
    const folder = join(temporaryFolder(), 'pool');
    const { region, die } = mortalMapped(folder, 'own', options);
    const { region: other } = mortalJoin(region);
    die();
    // What a survivor does, up to the point where it gives the lock back.
    const fd = openSync(join(folder, 'owners.lock'), constants.O_RDWR);
    expect(osCalls().lock(fd, 0)).toBe(true);
    segmentOf(other, 0).words[ownerWord(0, ownerSlot.state)] = ownerAbandoned;
    let pauses = 0;
    const waiter = {
      nowMs: () => pauses,
      pause: () => {
        pauses += 1;
        if (pauses === 10) closeSync(fd);
      },
    };
    const open = (waitMs: number): Region =>
      openMappedRegion(folder, 'own', undefined, undefined, { waitMs, waiter });
    expect([codeOf(() => open(5)), pauses]).toEqual(['pool_busy', 5]);
    const next = open(20);
    expect([next.ownerSlot, next.slotAbandoned, pauses]).toEqual([0, true, 10]);
    expect(codeOf(() => open(1000))).toBe('pool_busy');
    expect(pauses).toBe(12);
    next.close();
  });
});
