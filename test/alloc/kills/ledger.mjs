/**
 * Who holds what, in a mapped file that outlives every process: the truth that a pool is compared with after its owners were killed.
 *
 * ```
 * entry: word 0                      1      2                   3
 *        ┌──────────────────────────┬──────┬───────────────────┬──────┐
 *        │ code (4) │ process (27)  │ ref  │ kind (3) │ bytes  │ mark │
 *        └──────────────────────────┴──────┴───────────────────┴──────┘
 * ```
 * A process writes down what it is about to do, does it, and writes down that it is done: what it was at when it was killed is one of two things.
 */

import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { osCalls } from '../../../dist/memory/os.js';

/** @typedef {{ code: number, process: number, ref: number, kind: number, sizeBytes: number, mark: number }} Entry */

export const code = {
  empty: 0,
  /** A block may have been allocated: `ref` is not known. */
  allocating: 1,
  /** Live, and gone with its owner. */
  draft: 2,
  /** May be kept, or still a draft. */
  keeping: 3,
  /** Outlives its owner. */
  kept: 4,
  /** Kept, and anybody's: whoever changes the word has it. */
  shared: 5,
  /** May be free. */
  freeing: 6,
};

export const entriesMax = 4096;
const wordsPerEntry = 4;
const sizeBytes = entriesMax * wordsPerEntry * 4;

export class Ledger {
  /** @type {Int32Array} */
  #words;

  /** @param {string} path */
  constructor(path) {
    /** @type {number} */
    const fd = openSync(path, 'a+');
    ftruncateSync(fd, sizeBytes);
    const os = osCalls();
    this.#words = new Int32Array(os.view(os.map(fd, sizeBytes, 'shared'), sizeBytes));
    closeSync(fd);
  }

  /** @param {number} index @returns {Entry} */
  read(index) {
    const at = index * wordsPerEntry;
    const [state, ref, what, mark] = this.#words.subarray(at, at + wordsPerEntry);
    return {
      code: state & 15,
      process: state >>> 4,
      ref,
      kind: what & 7,
      sizeBytes: what >>> 3,
      mark,
    };
  }

  /** Takes an entry that is in one state for oneself. @returns {boolean} false when another was faster @param {number} index @param {Entry} from @param {number} to @param {number} process */
  take(index, from, to, process) {
    const [old, next] = [from.code | (from.process << 4), to | (process << 4)];
    return Atomics.compareExchange(this.#words, index * wordsPerEntry, old, next) === old;
  }

  /** Of an entry that one has. @param {number} index @param {number} next @param {number} process */
  setCode(index, next, process) {
    Atomics.store(this.#words, index * wordsPerEntry, next | (process << 4));
  }

  /** @param {number} index @param {{ ref?: number, kind?: number, sizeBytes?: number, mark?: number }} what */
  describe(index, { ref, kind, sizeBytes: bytes, mark }) {
    const at = index * wordsPerEntry;
    if (ref !== undefined) this.#words[at + 1] = ref;
    if (kind !== undefined && bytes !== undefined) this.#words[at + 2] = kind | (bytes << 3);
    if (mark !== undefined) this.#words[at + 3] = mark;
  }
}
