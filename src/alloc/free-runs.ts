/**
 * Index of one segment's free page runs, in the segment's own metadata (layout.ts): read and changed
 * under the segment's lock, a cache over the page table, which has the lengths.
 *
 * Runs are kept in bins by length: one bin for every length below 64 pages, eight per doubling
 * above. A bitmap of non-empty bins makes insert, remove and find take a bounded number of steps,
 * however many holes there are.
 *
 * Runs too short to contain a slab window at any position (below 2 · slab − 1 pages) are binned
 * twice over: those that happen to contain an aligned window stand in bins of their own, so that a
 * slab is found without a search and is not used up by other runs of the same length.
 */

import { fail } from '../errors.ts';
import { peek, poke, zero, type Words } from '../memory/words.ts';
import {
  binCount,
  binsInUseWord,
  binsWord,
  lengthOf,
  type SegmentLayout,
  stateFree,
  stateOf,
  usedPagesWord,
} from './layout.ts';
import type { PageTable } from './pages.ts';
import type { SegmentView } from './segment-view.ts';

const exactBins = 64;
const exactShift = 6;
/** Bins of one set, a multiple of 32; the longest run (2^18 pages) has bin 160. */
const setBins: number = binCount >> 1;
const setWords: number = setBins >> 5;
/** Runs looked at in one bin before the best of them is taken. */
const scanLimit = 16;
/** Page 0 holds metadata and is never free. */
const endOfRuns = 0;
/** The next multiple of a power of two. */
export function alignUp(page: number, step: number): number {
  return (page + step - 1) & -step;
}

function binOf(pages: number): number {
  if (pages < exactBins) return pages;
  const log = 31 - Math.clz32(pages);
  return exactBins + ((log - exactShift) << 3) + ((pages >> (log - 3)) & 7);
}

export class FreeRuns {
  /** Pages that can be handed out. */
  readonly dataPages: number;
  readonly #slabPages: number;
  readonly #table: PageTable;
  readonly #layout: SegmentLayout;
  readonly #words: Words;
  readonly #bytes: Uint8Array;
  readonly #links: number;
  readonly #number: number;

  constructor(view: SegmentView, slabPages: number) {
    this.#slabPages = slabPages;
    this.#table = view.table;
    this.#layout = view.layout;
    this.#words = view.words;
    this.#bytes = view.segment.bytes;
    this.#links = view.layout.linksWord;
    this.#number = view.segment.number;
    this.dataPages = view.layout.pages - view.layout.dataPage;
  }

  /** Length of the free run that starts at `page`, or 0 when none does. */
  lengthAt(page: number): number {
    const head = this.#table.head(page);
    return stateOf(head) === stateFree ? lengthOf(head) : 0;
  }

  /** Pages in slabs, runs and extents. */
  get usedPages(): number {
    return peek(this.#words, usedPagesWord);
  }

  /**
   * Where `pages` go that are taken from the free run of `length` at `from`: at its low end, or at its high one,
   * at a multiple of `step`.
   * @throws pool_corrupt
   */
  placeIn(from: number, length: number, pages: number, step: number, low: boolean): number {
    const end = from + length;
    const at = low ? alignUp(from, step) : (end - pages) & -step;
    if (!(at >= from && at + pages <= end && end <= this.#layout.pages)) {
      fail(
        'pool_corrupt',
        `Page ${from} of segment ${this.#number} begins no free run that has ${pages} pages.`,
      );
    }
    return at;
  }

  /** Takes in a free run. */
  insert(page: number, pages: number): void {
    this.#link(page, this.#binFor(page, pages));
  }

  /** Takes out a free run, whose head still says so. */
  remove(page: number): void {
    this.#unlink(page, this.#binFor(page, lengthOf(this.#table.head(page))));
  }

  /** Takes in that the free run at `page` is longer or shorter than it was. */
  resize(page: number, from: number, to: number): void {
    const bin = this.#binFor(page, from);
    const next = this.#binFor(page, to);
    if (next === bin) return;
    this.#unlink(page, bin);
    this.#link(page, next);
  }

  #link(page: number, bin: number): void {
    const words = this.#words;
    const head = peek(words, binsWord + bin);
    poke(words, this.#links + 2 * page, head);
    poke(words, this.#links + 2 * page + 1, endOfRuns);
    if (head !== endOfRuns) poke(words, this.#links + 2 * head + 1, page);
    poke(words, binsWord + bin, page);
    const at = binsInUseWord + (bin >> 5);
    poke(words, at, peek(words, at) | (1 << (bin & 31)));
  }

  #unlink(page: number, bin: number): void {
    const words = this.#words;
    const next = peek(words, this.#links + 2 * page);
    const previous = peek(words, this.#links + 2 * page + 1);
    if (next !== endOfRuns) poke(words, this.#links + 2 * next + 1, previous);
    if (previous !== endOfRuns) {
      poke(words, this.#links + 2 * previous, next);
      return;
    }
    poke(words, binsWord + bin, next);
    if (next !== endOfRuns) return;
    const at = binsInUseWord + (bin >> 5);
    poke(words, at, peek(words, at) & ~(1 << (bin & 31)));
  }

  /** Makes the index, and the count of used pages, anew from the page table. @throws pool_corrupt */
  rebuild(): void {
    zero(this.#bytes, binsInUseWord * 4, (binsWord + binCount) * 4);
    let usedPages = this.dataPages;
    this.#table.walk((page, head) => {
      if (stateOf(head) !== stateFree) return;
      this.insert(page, lengthOf(head));
      usedPages -= lengthOf(head);
    });
    poke(this.#words, usedPagesWord, usedPages);
  }

  /** Whether a bin is in use whose runs may have `pages`. */
  hasBinFor(pages: number): boolean {
    return this.#nextBin(binOf(pages)) !== setBins;
  }

  /**
   * A run of at least `pages`: the shortest of the first few in the lowest bin that has one; with
   * `low` the one at the lowest address.
   * @param avoided flags of heads that it may not have: then all runs are looked at
   * @returns its first page, or 0
   */
  find(pages: number, low: boolean, avoided: number = 0): number {
    const first = binOf(pages);
    const limit = avoided === 0 ? scanLimit : this.#layout.pages;
    for (let bin = this.#nextBin(first); bin < setBins; bin = this.#nextBin(bin + 1)) {
      const plain = this.#best(bin, pages, low, limit, avoided);
      if (plain !== endOfRuns) return plain;
      const window = this.#best(setBins + bin, pages, low, limit, avoided);
      if (window !== endOfRuns) return window;
    }
    // All that is left may stand deeper in the bin that also holds shorter runs.
    return first < exactBins
      ? endOfRuns
      : this.#best(first, pages, low, this.#layout.pages, avoided);
  }

  /**
   * A run that contains an aligned slab window, from the shortest bin.
   * @param avoided as for `find`
   * @returns its first page, or 0
   */
  findWindow(low: boolean, avoided: number = 0): number {
    const anyPosition = 2 * this.#slabPages - 1;
    const limit = avoided === 0 ? scanLimit : this.#layout.pages;
    for (let bin = this.#slabPages; bin < anyPosition; bin++) {
      const found = this.#best(setBins + bin, 1, low, limit, avoided);
      if (found !== endOfRuns) return found;
    }
    for (let bin = this.#nextBin(anyPosition); bin < setBins; bin = this.#nextBin(bin + 1)) {
      const found = this.#best(bin, 1, low, limit, avoided);
      if (found !== endOfRuns) return found;
    }
    return endOfRuns;
  }

  /**
   * A run that a slab fits into by its position, where others of its length have no room for one,
   * has a bin of the second set.
   */
  #binFor(page: number, pages: number): number {
    const slab = this.#slabPages;
    const hasRareWindow = pages < 2 * slab - 1 && alignUp(page, slab) + slab <= page + pages;
    return binOf(pages) + (hasRareWindow ? setBins : 0);
  }

  /** The first bin from `bin` on with a run in either set; setBins when there is none. */
  #nextBin(bin: number): number {
    const words = this.#words;
    let mask = -1 << (bin & 31);
    for (let word = bin >> 5; word < setWords; word++) {
      const at = binsInUseWord + word;
      const bits = (peek(words, at) | peek(words, at + setWords)) & mask;
      if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits & -bits);
      mask = -1;
    }
    return setBins;
  }

  #best(bin: number, pages: number, low: boolean, limit: number, avoided: number): number {
    const words = this.#words;
    let best = endOfRuns;
    let bestScore = 1 << 30; // more than any page or length
    let page = peek(words, binsWord + bin);
    for (let seen = 0; page !== endOfRuns && seen < limit; seen++) {
      const head = this.#table.head(page);
      const length = lengthOf(head);
      if (length >= pages && (head & avoided) === 0) {
        const score = low ? page : length;
        if (score < bestScore || (score === bestScore && page > best)) {
          best = page;
          bestScore = score;
        }
      }
      page = peek(words, this.#links + 2 * page);
    }
    return best;
  }

  /**
   * Verifies bins, links and the bitmap.
   * @returns how many runs there are
   */
  check(report: (fault: string) => void): number {
    const words = this.#words;
    let runs = 0;
    for (let bin = 0; bin < binCount; bin++) {
      let previous = endOfRuns;
      let page = peek(words, binsWord + bin);
      while (page !== endOfRuns && page < this.#layout.pages) {
        const length = this.lengthAt(page);
        if (length === 0 || this.#binFor(page, length) !== bin)
          report(`index has page ${page} in bin ${bin} with length ${length}`);
        if (peek(words, this.#links + 2 * page + 1) !== previous)
          report(`index has a broken link at page ${page}`);
        if (++runs > this.#layout.pages) {
          report(`index has a loop in bin ${bin}`);
          return runs;
        }
        previous = page;
        page = peek(words, this.#links + 2 * page);
      }
      const marked = ((peek(words, binsInUseWord + (bin >> 5)) >>> (bin & 31)) & 1) === 1;
      if (marked !== (peek(words, binsWord + bin) !== endOfRuns))
        report(`index has bin ${bin} marked ${marked}`);
    }
    return runs;
  }
}
