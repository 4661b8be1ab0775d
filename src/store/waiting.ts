/**
 * Entries that wait for their leases to end, as lists in pool memory, so that whoever holds the pen can go through them: retired entries, and
 * entries with parked bytes (parked.ts). Both are doubly linked through two words that the entry has no other use for meanwhile.
 *
 * ```
 * control word        entry: contextTag │ hints          idle commit slot: length │ crc32
 * retiredHead ──────▶        previous   │ next           parkedHead ─────▶ previous │ next
 * ```
 */

import { fail } from '../errors.ts';
import { control, controlByte } from '../memory/layout.ts';
import type { Ref, Region, Segment } from '../memory/region.ts';
import { peek, poke, type Words } from '../memory/words.ts';
import { commitSlot, field, idle, segmentOf, wordOf } from './entry.ts';

/** Where an entry has the word `previous`; `next` is behind it. */
type LinksOf = (words: Words, at: number) => number;

export class WaitingList {
  readonly #region: Region;
  readonly #control: Words;
  readonly #headWord: number;
  readonly #countWord: number;
  readonly #linksOf: LinksOf;

  private constructor(region: Region, headWord: number, countWord: number, linksOf: LinksOf) {
    this.#region = region;
    this.#control = (region.segments[0] as Segment).words;
    this.#headWord = (controlByte >>> 2) + headWord;
    this.#countWord = (controlByte >>> 2) + countWord;
    this.#linksOf = linksOf;
  }

  static ofRetired(region: Region): WaitingList {
    const linksOf: LinksOf = (_, at) => at + field.contextTag;
    return new WaitingList(region, control.retiredHead, control.retiredParts, linksOf);
  }

  static ofParked(region: Region): WaitingList {
    const linksOf: LinksOf = (words, at) => idle(words, at) + commitSlot.length;
    return new WaitingList(region, control.parkedHead, control.parkedParts, linksOf);
  }

  get size(): number {
    return peek(this.#control, this.#countWord);
  }

  /** The entries. What is visited may be removed. @throws pool_corrupt when there is no end */
  each(visit: (ref: Ref, words: Words, at: number) => void): void {
    let left = this.size;
    for (let ref = peek(this.#control, this.#headWord); ref !== 0; left--) {
      if (left <= 0) fail('pool_corrupt', `More entries wait than the ${this.size} that count.`);
      const { words } = segmentOf(this.#region, ref);
      const at = wordOf(this.#region, ref);
      const next = peek(words, this.#linksOf(words, at) + 1);
      visit(ref, words, at);
      ref = next;
    }
  }

  /** Adds an entry that is not in the list. */
  add(ref: Ref, words: Words, at: number): void {
    const links = this.#linksOf(words, at);
    const head = peek(this.#control, this.#headWord);
    poke(words, links, 0);
    poke(words, links + 1, head);
    if (head !== 0) this.#poke(head, 0, ref);
    poke(this.#control, this.#headWord, ref);
    this.#count(1);
  }

  /** Takes out an entry that is in the list. */
  remove(words: Words, at: number): void {
    const links = this.#linksOf(words, at);
    const previous = peek(words, links);
    const next = peek(words, links + 1);
    if (next !== 0) this.#poke(next, 0, previous);
    if (previous !== 0) this.#poke(previous, 1, next);
    else poke(this.#control, this.#headWord, next);
    this.#count(-1);
  }

  /** Recovery fills it anew. */
  clear(): void {
    poke(this.#control, this.#headWord, 0);
    poke(this.#control, this.#countWord, 0);
  }

  #poke(ref: Ref, link: 0 | 1, to: Ref): void {
    const { words } = segmentOf(this.#region, ref);
    poke(words, this.#linksOf(words, wordOf(this.#region, ref)) + link, to);
  }

  #count(by: number): void {
    poke(this.#control, this.#countWord, peek(this.#control, this.#countWord) + by);
  }
}
