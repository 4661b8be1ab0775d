/**
 * The pen: the one lock under which the store is changed. Index, entries, lists, tags and expiry change only in the hand of its holder; readers
 * never take it. Memory is allocated and bytes are copied before it is taken, so that it is held for a few hundred nanoseconds.
 *
 * ```
 * word 32        33                    34              35
 * ┌─────────────┬─────────────────────┬───────────────┬──────────────────────────────────────────┐
 * │ pen: 0, or  │ last: the token of  │ taken: how    │ broken: a holder died, and nobody has    │
 * │ a token     │ who held it last    │ often it was  │ brought in order yet what it was at      │
 * └─────────────┴─────────────────────┴───────────────┴──────────────────────────────────────────┘
 * ```
 * Tokens are those of memory/lock.ts: the dead lose it, the stopped keep it, and others are told `pool_busy` after a while. An owner that
 * finds itself in `last` knows that nobody has changed anything since; any other must catch up first. Whoever finds that the pool did
 * not change while it looked (the pen was free, and was not taken) has seen one moment.
 */

import { fail } from '../errors.ts';
import { control, controlByte } from '../memory/layout.ts';
import { lock, lockTokenOf, lockWaitOf, type LockWait, tryLock } from '../memory/lock.ts';
import type { Region, Segment } from '../memory/region.ts';
import { compareExchange, load, peek, poke, store, type Words } from '../memory/words.ts';

const penWord = (controlByte >>> 2) + control.pen;
const lastWord = (controlByte >>> 2) + control.penLast;
const takenWord = (controlByte >>> 2) + control.penTaken;
const brokenWord = (controlByte >>> 2) + control.penBroken;

/** Looks before the first pause: some ten microseconds. A pause takes much longer than a change does. */
const looksMax = 2500;

export class Pen {
  /** True while this thread is changing the store. */
  isHeld = false;
  /** Takes in what others have changed; brings in order what a dead holder left, where there is such. */
  onHandOver: (isBroken: boolean) => void = () => undefined;
  /** How often another owner had it since this one had it last. */
  #handOvers = 0;
  readonly #words: Words;
  readonly #token: number;
  readonly #wait: LockWait;

  constructor(region: Region, waitMs?: number) {
    this.#words = (region.segments[0] as Segment).words;
    this.#token = region.ownerSlot < 0 ? 0 : lockTokenOf(region);
    this.#wait = lockWaitOf(region, waitMs);
  }

  /** @throws pool_busy when a living owner keeps it; what recovery throws */
  take(): void {
    const words = this.#words;
    if (compareExchange(words, penWord, 0, this.#token) !== 0) this.#await();
    poke(words, takenWord, (peek(words, takenWord) + 1) | 0);
    this.isHeld = true;
    if (peek(words, lastWord) !== this.#token) this.#handOver();
  }

  /** For what can wait: takes it if that is possible at once, and nothing is broken. */
  tryTake(): boolean {
    const words = this.#words;
    if (this.isHeld || this.#token === 0) return false;
    if (compareExchange(words, penWord, 0, this.#token) !== 0) return false;
    if (this.isBroken) {
      store(words, penWord, 0);
      return false;
    }
    poke(words, takenWord, (peek(words, takenWord) + 1) | 0);
    this.isHeld = true;
    if (peek(words, lastWord) !== this.#token) this.#handOver();
    return true;
  }

  give(): void {
    this.isHeld = false;
    store(this.#words, penWord, 0);
  }

  /** Keeps everybody from changing the store, this thread included, until `give`. */
  withhold(): void {
    this.take();
    this.isHeld = false;
  }

  /** Takes it for the first time: there is nothing yet that could catch up. @throws pool_busy */
  seize(): void {
    const words = this.#words;
    if (compareExchange(words, penWord, 0, this.#token) !== 0) this.#await();
    poke(words, takenWord, (peek(words, takenWord) + 1) | 0);
    poke(words, lastWord, 0);
    this.isHeld = true;
  }

  /** How often the pen was taken: of two holders next to each other the numbers are too. */
  get turn(): number {
    return peek(this.#words, takenWord);
  }

  /** Changes when another owner has had it: until then nobody else has changed the store. -1 while it may be so now. */
  get handOvers(): number {
    return peek(this.#words, lastWord) === this.#token ? this.#handOvers : -1;
  }

  /** What is under way cannot be ended: whoever takes the pen next brings the store in order, as after a holder's death. By its holder. */
  breaks(): void {
    store(this.#words, brokenWord, 1);
    poke(this.#words, lastWord, 0);
  }

  /** What was broken is in order. */
  mended(): void {
    store(this.#words, brokenWord, 0);
  }

  get isBroken(): boolean {
    return load(this.#words, brokenWord) !== 0;
  }

  /** A number that changes whenever the store may have changed; -1 while it may be changing. */
  get moment(): number {
    const taken = load(this.#words, takenWord) >>> 0;
    return load(this.#words, penWord) === 0 ? taken : -1;
  }

  /** True when nothing has changed since `moment` was that. */
  isStill(moment: number): boolean {
    return moment >= 0 && this.moment === moment;
  }

  #await(): void {
    const words = this.#words;
    for (let look = 0; look < looksMax; look++) {
      if (load(words, penWord) === 0 && tryLock(words, penWord, this.#token)) return;
    }
    const outcome = lock(words, penWord, this.#token, this.#wait);
    if (outcome === 'busy') {
      fail('pool_busy', `Another owner has been changing the pool for ${this.#wait.waitMs} ms.`);
    }
    if (outcome === 'taken') return;
    this.breaks(); // before anything else: whoever finds the pen free after us must know it too
  }

  #handOver(): void {
    this.#handOvers++;
    try {
      this.onHandOver(this.isBroken);
    } catch (error) {
      this.give();
      throw error;
    }
    poke(this.#words, lastWord, this.#token);
  }
}

/** Runs a change of the store, or a part of one that is under way. @throws pool_busy; what `change` throws */
export function withPen<T>({ pen }: { readonly pen: Pen }, change: () => T): T {
  if (pen.isHeld) return change();
  pen.take();
  try {
    return change();
  } finally {
    pen.give();
  }
}
