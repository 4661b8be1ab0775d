/**
 * How an owner keeps up with what others change: the epoch of the index says when tables, entries or segments are out of date.
 */

import { fail, hasCode } from '../errors.ts';
import { control, controlByte } from '../memory/layout.ts';
import type { Region, Segment } from '../memory/region.ts';
import { add, load, peek, type Words } from '../memory/words.ts';
import type { Pen } from './pen.ts';

/** How often a reader looks again when writers keep changing what it found. */
export const readAttempts = 10_000;
/** How often it does so where each look has looked as often itself, and found no rest. */
const restlessLooks = 10;
/** How often a reader looks whether a rebuilt table is complete before it waits for the pen. */
const rebuildLooks = 1000;
/** How often it waits for the pen and finds a table being rebuilt all the same. */
const rebuildWaits = 100;

const epochWord = (controlByte >>> 2) + control.indexEpoch;

/** What was found is not of one moment. */
const unsettled = Symbol('unsettled');

/** The epoch of a region's index now. */
export function indexEpochOf(region: Region): number {
  return load((region.segments[0] as Segment).words, epochWord);
}

interface Refreshable {
  refresh(): void;
}

export class Follower {
  /** True while nothing is known to change what is looked at: one look is enough. */
  isStill = false;
  readonly #region: Region;
  readonly #words: Words;
  readonly #pen: Pen;
  /** What is out of date after a change of epoch, beside the region. */
  readonly #followed: Refreshable[] = [];
  #epoch: number;
  /** How often it has taken over what others had changed. */
  #takenOver = 0;

  /** To be made before what is followed. */
  constructor(region: Region, pen: Pen) {
    this.#region = region;
    this.#words = (region.segments[0] as Segment).words;
    this.#pen = pen;
    this.#epoch = indexEpochOf(region);
  }

  follow(...followed: Refreshable[]): void {
    this.#followed.push(...followed);
  }

  /** Says to all others that something is out of date; by 1: it is from now on, or is not any more, being rebuilt. By who holds the pen. */
  readonly announce = (by: number = 2): void => {
    const before = add(this.#words, epochWord, by);
    if (before === this.#epoch) this.#epoch = (before + by) | 0;
  };

  /** True when something is out of date. A plain look: to be verified by, or behind, an atomic one. */
  isBehind(): boolean {
    return peek(this.#words, epochWord) !== this.#epoch;
  }

  /** Takes over what others have changed. @returns true when something was out of date @throws pool_busy */
  catchUp(): boolean {
    let epoch = this.#settledEpoch();
    if (epoch === this.#epoch) return false;
    for (let attempt = 0; ; attempt++) {
      this.#epoch = epoch;
      const fault = this.#refresh();
      // What was taken over may have grown again meanwhile, and its memory be something else.
      epoch = this.#settledEpoch();
      if (epoch !== this.#epoch && attempt < readAttempts) continue;
      if (fault !== undefined) throw fault;
      this.#takenOver++;
      return true;
    }
  }

  /** What `look` finds in the pool as it is now; looks again where the pool changed meanwhile. @throws pool_busy; what `look` throws */
  settled<T>(look: () => T): T {
    if (this.#pen.isHeld || this.isStill) return look();
    for (let attempt = 0; ; attempt++) {
      const moment = attempt === 0 ? this.#pen.moment : -1;
      this.#region.refresh();
      if (this.isBehind()) this.catchUp();
      if (this.#pen.isBroken && !this.#isOnlooker) this.#mend();
      const found = moment < 0 ? unsettled : this.#lookStill(look, moment);
      if (found !== unsettled) return found;
      const takenOver = this.#takenOver;
      try {
        const seen = look();
        if (attempt === readAttempts || this.#isStillAt(takenOver)) return seen;
      } catch (error) {
        const most = hasCode(error, 'pool_busy') ? restlessLooks : readAttempts;
        if (attempt >= most || this.#isStillAt(takenOver)) throw error;
      }
    }
  }

  /** True when nothing has come to be out of date since so much had been taken over: a look may have caught up itself, and what it saw before be of before. */
  #isStillAt(takenOver: number): boolean {
    return !this.catchUp() && this.#takenOver === takenOver;
  }

  /** One look, right if nobody has changed anything since `moment`. */
  #lookStill<T>(look: () => T, moment: number): T | typeof unsettled {
    this.isStill = true;
    try {
      const found = look();
      return this.#pen.isStill(moment) ? found : unsettled;
    } catch (error) {
      if (this.#pen.isStill(moment)) throw error;
      return unsettled;
    } finally {
      this.isStill = false;
    }
  }

  /** @returns what could not be read, which is a fault only if nothing has moved since */
  #refresh(): Error | undefined {
    try {
      this.#region.refresh();
      for (const each of this.#followed) each.refresh();
      return undefined;
    } catch (error) {
      if (error instanceof Error) return error;
      throw error;
    }
  }

  get #isOnlooker(): boolean {
    return this.#region.ownerSlot < 0;
  }

  /** The epoch of the index once no table is being rebuilt. @throws pool_busy */
  #settledEpoch(): number {
    for (let wait = 0; wait < rebuildWaits; wait++) {
      for (let look = 0; look < rebuildLooks; look++) {
        const epoch = indexEpochOf(this.#region);
        // An inspection's pages are its own from its first write on: it may never see the end.
        if ((epoch & 1) === 0 || this.#isOnlooker || this.#pen.isHeld) return epoch;
      }
      this.#mend();
    }
    return fail('pool_busy', `The index was being rebuilt at each of ${rebuildWaits} looks.`);
  }

  /** Waits for whoever is changing the store; where he died, brings in order what he left. */
  #mend(): void {
    this.#pen.take();
    this.#pen.give();
  }
}
