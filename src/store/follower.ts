/**
 * How a thread that joined keeps up with its writer: the epoch of the index says when tables, entries or segments are out of date.
 * The writer itself always is up to date.
 */

import { fail } from '../errors.ts';
import { control, controlByte } from '../memory/layout.ts';
import type { Region, Segment } from '../memory/region.ts';
import { add, load } from '../memory/words.ts';

/** How often a reader looks again when writers keep changing what it found. */
export const readAttempts = 10_000;
/** How often a reader looks whether a rebuilt table is complete: some 50 ms; rebuilding 2^16 slots takes 2. */
const rebuildLooks = 10_000_000;
/** How often before it asks whether the writer lives: a dead one leaves the table to recovery. */
const writerLooks = 1000;

const epochWord = (controlByte >>> 2) + control.indexEpoch;

/** The epoch of a region's index now. */
export function indexEpochOf(region: Region): number {
  return load((region.segments[0] as Segment).words, epochWord);
}

interface Refreshable {
  refresh(): void;
}

export class Follower {
  readonly #region: Region;
  /** What is out of date after a change of epoch, beside the region. */
  readonly #followed: readonly Refreshable[];
  /** False for the writer. */
  readonly #follows: boolean;
  #epoch: number;

  /** `epoch` was read before what is followed. */
  constructor(region: Region, epoch: number, followed: readonly Refreshable[]) {
    this.#region = region;
    this.#followed = followed;
    this.#epoch = epoch;
    this.#follows = region.ownerSlot !== 0;
  }

  /** Says to whoever follows that something is out of date. */
  announce(): void {
    add((this.#region.segments[0] as Segment).words, epochWord, 2);
  }

  /** True when something is out of date: never for the writer. */
  isBehind(): boolean {
    return this.#follows && indexEpochOf(this.#region) !== this.#epoch;
  }

  /** Takes over what the writer has changed. @returns true when something was out of date @throws pool_busy */
  catchUp(): boolean {
    if (!this.#follows) return false;
    let epoch = this.#settledEpoch();
    if (epoch === this.#epoch) return false;
    for (let attempt = 0; ; attempt++) {
      this.#epoch = epoch;
      const fault = this.#refresh();
      // What was taken over may have grown again meanwhile, and its memory be something else.
      epoch = this.#settledEpoch();
      if (epoch !== this.#epoch && attempt < readAttempts) continue;
      if (fault !== undefined) throw fault;
      return true;
    }
  }

  /** What `look` finds in the pool as the writer has it now. A joined reader looks again when the index changed meanwhile. */
  settled<T>(look: () => T): T {
    if (!this.#follows) return look();
    for (let attempt = 0; ; attempt++) {
      this.#region.refresh();
      this.catchUp();
      try {
        const found = look();
        if (attempt === readAttempts || !this.catchUp()) return found;
      } catch (error) {
        if (attempt === readAttempts || !this.catchUp()) throw error;
      }
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

  /** The epoch of the index once no table is being rebuilt. @throws pool_busy */
  #settledEpoch(): number {
    for (let look = 0; look < rebuildLooks; look++) {
      const epoch = indexEpochOf(this.#region);
      // An inspection's pages are its own from its first write on: it may never see the end.
      if ((epoch & 1) === 0 || this.#region.ownerSlot < 0) return epoch;
      if (look === writerLooks && !this.#region.ownerLives(0)) break;
    }
    return fail('pool_busy', `The index was being rebuilt during ${rebuildLooks} looks.`);
  }
}
