/**
 * What a client asked and was told, in a mapped file that outlives it: each call is written down before it is made.
 *
 * Records of 64-bit floating point words, one after the other:
 * ```
 *  0        1         2      3       4           5          6        7            8         9          10 …
 * ┌────────┬─────────┬──────┬───────┬───────────┬──────────┬────────┬────────────┬─────────┬──────────┬────────┐
 * │ action │ context │ part │ block │ ifVersion │ calledNs │ status │ returnedNs │ version │ count: n │ blocks │
 * │ 1…     │         │ or -1│       │           │          │ 0: told│            │         │          │ × n    │
 * │        │         │ = all│       │           │          │ nothing│            │         │          │        │
 * └────────┴─────────┴──────┴───────┴───────────┴──────────┴────────┴────────────┴─────────┴──────────┴────────┘
 * ```
 */

import { closeSync, existsSync, ftruncateSync, openSync } from 'node:fs';
import { osCalls } from '../../../dist/memory/os.js';

export const action = { put: 1, append: 2, putIf: 3, delete: 4, get: 5, look: 6, evict: 7 };
export const status = { untold: 0, done: 1, absent: 2, refused: 3, full: 4 };

const recordWords = 10;

/** @param {string} path @param {number} sizeBytes a whole number of pages */
export function mapLog(path, sizeBytes) {
  const isNew = !existsSync(path);
  /** @type {number} */
  const fd = openSync(path, 'a+');
  if (isNew) ftruncateSync(fd, sizeBytes);
  const os = osCalls();
  const words = new Float64Array(os.view(os.map(fd, sizeBytes, 'shared'), sizeBytes));
  closeSync(fd);
  return words;
}

export class Log {
  /** @type {Float64Array} */
  #words;
  #at = 0;
  #base;

  /** @param {Float64Array} words @param {bigint} base nanoseconds of the monotonic clock from which times are counted */
  constructor(words, base) {
    this.#words = words;
    this.#base = base;
  }

  now() {
    return Number(process.hrtime.bigint() - this.#base);
  }

  /** True when another record of that many blocks has room. @param {number} blocks */
  hasRoom(blocks) {
    return this.#at + recordWords + blocks <= this.#words.length;
  }

  /** @param {number} what @param {number} context @param {number} part @param {number} [block] @param {number} [ifVersion] @returns {number} the record */
  call(what, context, part, block = 0, ifVersion = 0) {
    const at = this.#at;
    this.#words.set([what, context, part, block, ifVersion, this.now()], at);
    this.#at = at + recordWords;
    return at;
  }

  /** Times are taken first, so that writing them down is not counted. @param {number} at @param {number} state @param {number} version @param {readonly number[]} blocks */
  told(at, state, version = 0, blocks = []) {
    const now = this.now();
    this.#words.set([now, version, blocks.length, ...blocks], at + 7);
    this.#words[at + 6] = state;
    this.#at = Math.max(this.#at, at + recordWords + blocks.length);
  }
}

/**
 * The records of a log; times beyond `returnedNs` of 0 are those of a client that died.
 *
 * @param {Float64Array} words
 */
export function readLog(words) {
  const records = [];
  for (let at = 0; at + recordWords <= words.length && words[at] !== 0;) {
    const [what, context, part, block, ifVersion, calledNs, state, returnedNs, version, count] =
      words.subarray(at, at + recordWords);
    const blocks = [...words.subarray(at + recordWords, at + recordWords + count)];
    at += recordWords + count;
    records.push({
      what,
      context,
      part,
      block,
      ifVersion,
      calledNs,
      state,
      returnedNs,
      version,
      blocks,
    });
  }
  return records;
}
