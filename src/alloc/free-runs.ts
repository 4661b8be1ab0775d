/**
 * Index of one segment's free page runs: a cache on the JavaScript heap, rebuilt from the page
 * table on opening.
 *
 * Runs are kept in bins by length: one bin for every length below 64 pages, eight per doubling
 * above. A bitmap of non-empty bins makes insert, remove and find take a bounded number of steps,
 * however many holes there are.
 *
 * Runs too short to contain a slab window at any position (below 2 · slab − 1 pages) are binned
 * twice over: those that happen to contain an aligned window stand in bins of their own, so that a
 * slab is found without a search and is not used up by other runs of the same length.
 */

const exactBins = 64;
const exactShift = 6;
/** Bins of one set; the longest run (2^18 pages) has bin 160. A multiple of 32. */
const setBins = 192;
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
  readonly #slabPages: number;
  readonly #heads = new Int32Array(2 * setBins);
  readonly #occupied = new Int32Array(2 * setWords);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #lengths: Int32Array;

  constructor(pages: number, slabPages: number) {
    this.#slabPages = slabPages;
    this.#next = new Int32Array(pages);
    this.#previous = new Int32Array(pages);
    this.#lengths = new Int32Array(pages);
  }

  /** Length of the free run that starts at `page`, or 0 when none does. */
  lengthAt(page: number): number {
    return this.#lengths[page] as number;
  }

  insert(page: number, pages: number): void {
    const bin = this.#binFor(page, pages);
    const head = this.#heads[bin] as number;
    this.#next[page] = head;
    this.#previous[page] = endOfRuns;
    if (head !== endOfRuns) this.#previous[head] = page;
    this.#heads[bin] = page;
    this.#lengths[page] = pages;
    this.#occupied[bin >> 5] = (this.#occupied[bin >> 5] as number) | (1 << (bin & 31));
  }

  remove(page: number): void {
    const bin = this.#binFor(page, this.#lengths[page] as number);
    const next = this.#next[page] as number;
    const previous = this.#previous[page] as number;
    if (next !== endOfRuns) this.#previous[next] = previous;
    if (previous !== endOfRuns) this.#next[previous] = next;
    else {
      this.#heads[bin] = next;
      if (next === endOfRuns)
        this.#occupied[bin >> 5] = (this.#occupied[bin >> 5] as number) & ~(1 << (bin & 31));
    }
    this.#lengths[page] = 0;
  }

  /**
   * A run of at least `pages`: the shortest of the first few in the lowest bin that has one; with
   * `low` the one at the lowest address.
   * @returns its first page, or 0
   */
  find(pages: number, low: boolean): number {
    const first = binOf(pages);
    for (let bin = this.#nextBin(first); bin < setBins; bin = this.#nextBin(bin + 1)) {
      const plain = this.#best(bin, pages, low, scanLimit);
      if (plain !== endOfRuns) return plain;
      const window = this.#best(setBins + bin, pages, low, scanLimit);
      if (window !== endOfRuns) return window;
    }
    // All that is left may stand deeper in the bin that also holds shorter runs.
    return first < exactBins ? endOfRuns : this.#best(first, pages, low, this.#lengths.length);
  }

  /**
   * A run that contains an aligned slab window, from the shortest bin.
   * @returns its first page, or 0
   */
  findWindow(low: boolean): number {
    const limit = 2 * this.#slabPages - 1;
    for (let bin = this.#slabPages; bin < limit; bin++) {
      if (this.#heads[setBins + bin] !== endOfRuns)
        return this.#best(setBins + bin, 1, low, scanLimit);
    }
    for (let bin = this.#nextBin(limit); bin < setBins; bin = this.#nextBin(bin + 1)) {
      if (this.#heads[bin] !== endOfRuns) return this.#best(bin, 1, low, scanLimit);
    }
    return endOfRuns;
  }

  /** Length of the longest run. */
  longest(): number {
    for (let bin = setBins - 1; bin > 0; bin--) {
      const longest = Math.max(this.#longestIn(bin), this.#longestIn(setBins + bin));
      if (longest > 0) return longest;
    }
    return 0;
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
    let mask = -1 << (bin & 31);
    for (let word = bin >> 5; word < setWords; word++) {
      const bits =
        ((this.#occupied[word] as number) | (this.#occupied[setWords + word] as number)) & mask;
      if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits & -bits);
      mask = -1;
    }
    return setBins;
  }

  #best(bin: number, pages: number, low: boolean, limit: number): number {
    let best = endOfRuns;
    let bestScore = 1 << 30; // more than any page or length
    let page = this.#heads[bin] as number;
    for (let seen = 0; page !== endOfRuns && seen < limit; seen++) {
      const length = this.#lengths[page] as number;
      if (length >= pages) {
        const score = low ? page : length;
        if (score < bestScore || (score === bestScore && page < best)) {
          best = page;
          bestScore = score;
        }
      }
      page = this.#next[page] as number;
    }
    return best;
  }

  #longestIn(bin: number): number {
    let longest = 0;
    for (
      let page = this.#heads[bin] as number;
      page !== endOfRuns;
      page = this.#next[page] as number
    ) {
      longest = Math.max(longest, this.#lengths[page] as number);
    }
    return longest;
  }

  /**
   * Verifies bins, links and the bitmap.
   * @returns how many runs there are
   */
  check(report: (fault: string) => void): number {
    let runs = 0;
    for (let bin = 0; bin < 2 * setBins; bin++) {
      let previous = endOfRuns;
      for (
        let page = this.#heads[bin] as number;
        page !== endOfRuns;
        page = this.#next[page] as number
      ) {
        const length = this.#lengths[page] as number;
        if (length === 0 || this.#binFor(page, length) !== bin)
          report(`index has page ${page} in bin ${bin} with length ${length}`);
        if (this.#previous[page] !== previous) report(`index has a broken link at page ${page}`);
        if (++runs > this.#lengths.length) {
          report(`index has a loop in bin ${bin}`);
          return runs;
        }
        previous = page;
      }
      const marked = (((this.#occupied[bin >> 5] as number) >>> (bin & 31)) & 1) === 1;
      if (marked !== (this.#heads[bin] !== endOfRuns))
        report(`index has bin ${bin} marked ${marked}`);
    }
    return runs;
  }
}
