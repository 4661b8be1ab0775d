import { fail } from '../errors.ts';
import { and, or, peek, type Words } from '../memory/words.ts';
import { field } from './entry.ts';

/**
 * The leases of this thread. Whether it has one on an entry is a bit of the entry, in the line that a get reads anyway; how many, where there are more,
 * is kept here, so that most gets miss no cache for it.
 */
export class Leases {
  readonly #word: number;
  readonly #bit: number;
  #held = 0;
  /** Leases beyond the first on their entries: of each entry, and of all. */
  #more = new Int32Array(64);
  #allMore = 0;
  readonly #entryCount: () => number;

  /** @param entryCount how many entries there are, asked for when one is met with a number higher than ever */
  constructor(ownerSlot: number, entryCount: () => number) {
    this.#word = field.leases + (ownerSlot >>> 5);
    this.#bit = 1 << (ownerSlot & 31);
    this.#entryCount = entryCount;
  }

  /** @throws pool_corrupt when there is no such entry */
  take(words: Words, at: number): void {
    if ((peek(words, at + this.#word) & this.#bit) === 0) or(words, at + this.#word, this.#bit);
    else this.#takeMore(peek(words, at + field.ordinal));
    this.#held++;
  }

  /** @returns true when it was the last on the entry */
  drop(words: Words, at: number): boolean {
    this.#held--;
    if (this.#allMore > 0) {
      const ordinal = peek(words, at + field.ordinal);
      const more = this.#more[ordinal] ?? 0;
      if (more > 0) {
        this.#more[ordinal] = more - 1;
        this.#allMore--;
        return false;
      }
    }
    and(words, at + this.#word, ~this.#bit);
    return true;
  }

  get any(): boolean {
    return this.#held > 0;
  }

  /** They have been ended in the entries. */
  clear(): void {
    this.#held = 0;
    this.#allMore = 0;
    this.#more.fill(0);
  }

  #takeMore(ordinal: number): void {
    if (ordinal >>> 0 >= this.#more.length) this.#grow(ordinal);
    this.#more[ordinal] = (this.#more[ordinal] as number) + 1;
    this.#allMore++;
  }

  #grow(ordinal: number): void {
    const count = this.#entryCount();
    if (!(ordinal >= 0 && ordinal < count)) fail('pool_corrupt', `There is no entry ${ordinal}.`);
    const grown = new Int32Array(Math.max(2 * this.#more.length, ordinal + 1));
    grown.set(this.#more);
    this.#more = grown;
  }
}
