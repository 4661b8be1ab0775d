/**
 * Locks in pool memory, which outlive neither their holder nor anybody's patience.
 *
 * ```
 *  bit  31   30                                    7  6            0
 *      ┌────┬──────────────────────────────────────┬──────────────┐
 *      │ 0  │ epoch of the holder's slot, low bits │ slot + 1     │   a word of 0: free
 *      └────┴──────────────────────────────────────┴──────────────┘
 * ```
 * The word is the holder's *token*. A slot's epoch rises each time that it is taken, so a token belongs to one life of one owner: it cannot
 * come back after that owner has died, and comparing it before replacing it is safe.
 *
 * A lock is taken from the dead only. Whoever inherits it must first repair what it protects; if he dies in doing so, the next one
 * inherits from him. A holder that is stopped is alive: others are told 'busy'.
 */

import { systemWaiter } from '../base/clock.ts';
import type { Waiter } from '../base/clock.ts';
import { ownerSlot, ownerWord } from './owners.ts';
import type { Region, Segment } from './region.ts';
import { compareExchange, load, store } from './words.ts';
import type { Words } from './words.ts';

/** How long an operation waits for another owner's, unless it is told otherwise. */
export const defaultLockWaitMs = 1000;

/** Looks before the first pause: about a microsecond, as long as most locks are held. */
const spinsMax = 200;
const firstPauseMs = 0.05;
const longestPauseMs = 2;

const slotBits = 7;
const slotMask = (1 << slotBits) - 1;

/** The word of a lock that nobody can take: that of a segment which is not, or not any more, part of the region. */
export const lockClosed: number = slotMask;
const epochMask = 0xff_ff_ff;

/** `inherited`: the holder died with it, so what it protects may be half changed. `busy`: not taken. */
export type LockOutcome = 'taken' | 'inherited' | 'busy';

/** How long to wait for a lock, and whether waiting makes sense. */
export interface LockWait extends Waiter {
  /** 0: looks once, and pauses never. */
  readonly waitMs: number;
  /** Whether the owner who holds `token` lives. Asked before each pause. */
  lives(token: number): boolean;
}

/** The token of an owner: positive, below 2^31. `epoch` is that of its slot. */
export function tokenOf(slot: number, epoch: number): number {
  return ((epoch & epochMask) << slotBits) | (slot + 1);
}

/** The token of the owner who has `slot` now, or had it last. */
export function tokenOfSlot(region: Region, slot: number): number {
  const { words } = region.segments[0] as Segment;
  return tokenOf(slot, load(words, ownerWord(slot, ownerSlot.epoch)));
}

/** The token of this thread as an owner of `region`: the same as long as the region is open. */
export function lockTokenOf(region: Region): number {
  return tokenOfSlot(region, region.ownerSlot);
}

/** The slot of a holder; -1 for a free lock. */
export function slotOfToken(token: number): number {
  return (token & slotMask) - 1;
}

/** Takes a free lock. */
export function tryLock(words: Words, at: number, token: number): boolean {
  return compareExchange(words, at, 0, token) === 0;
}

/** Takes a lock, waiting up to `wait.waitMs`. An owner who has it already is told 'busy' at once, and so is everybody at a closed lock. */
export function lock(words: Words, at: number, token: number, wait: LockWait): LockOutcome {
  for (let spin = 0; spin < spinsMax; spin += 1) {
    if (load(words, at) === 0 && tryLock(words, at, token)) return 'taken';
  }
  return waitFor(words, at, token, wait);
}

function waitFor(words: Words, at: number, token: number, wait: LockWait): LockOutcome {
  const startedMs = wait.nowMs();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const holder = load(words, at);
    if (holder === token || holder === lockClosed) return 'busy';
    if (holder === 0) {
      if (tryLock(words, at, token)) return 'taken';
    } else if (!wait.lives(holder) && compareExchange(words, at, holder, token) === holder) {
      return 'inherited';
    }
    const leftMs = startedMs + wait.waitMs - wait.nowMs();
    if (!(leftMs > 0)) return 'busy';
    wait.pause(Math.min(pauseMs, leftMs));
  }
}

/** Gives back a lock that this owner holds. Everything it wrote before is seen by whoever takes the lock next. */
export function unlock(words: Words, at: number): void {
  store(words, at, 0);
}

/**
 * Whether the owner who holds `token` lives. Its slot may have been taken again since, by an owner with a higher epoch, or be no slot at all
 * when the word is damaged: then nobody holds the lock.
 */
export function holderLives(region: Region, token: number): boolean {
  const slot = slotOfToken(token);
  if (slot < 0 || slot >= region.superblock.ownersMax) return false;
  return tokenOfSlot(region, slot) === token && region.ownerLives(slot);
}

/** How an owner waits: given once, when a region is opened. */
export interface Patience {
  readonly waitMs: number;
  readonly waiter: Waiter;
}

export const defaultPatience: Patience = { waitMs: defaultLockWaitMs, waiter: systemWaiter };

/** Waiting as an owner of `region` does. */
export function lockWaitOf(
  region: Region,
  waitMs: number = defaultLockWaitMs,
  waiter: Waiter = systemWaiter,
): LockWait {
  return {
    waitMs,
    lives: (token) => holderLives(region, token),
    nowMs: () => waiter.nowMs(),
    pause: (ms) => waiter.pause(ms),
  };
}
