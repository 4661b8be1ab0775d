/**
 * Blocks that were found to be damaged. Whoever computes such a block writes it anew, and all of the sequence behind it too: they have not been looked at, and what
 * has damaged one may have damaged others.
 */

import { nameOf } from './keys.ts';

/** As many names are remembered; of those before, damage behind them is found block by block. */
const namesMax = 4096;

export class DamagedBlocks {
  readonly #names = new Set<string>();

  add(name: string): void {
    if (this.#names.size >= namesMax) this.#names.clear();
    this.#names.add(name);
  }

  /** The first of a sequence's blocks that is one; `blocks` where none is. */
  firstOf(keys: Int32Array, blocks: number): number {
    if (this.#names.size === 0) return blocks;
    for (let block = 0; block < blocks; block++) {
      if (this.#names.has(nameOf(keys, block))) return block;
    }
    return blocks;
  }

  /** They are written anew. */
  forget(keys: Int32Array, from: number, blocks: number): void {
    for (let block = from; block < blocks; block++) this.#names.delete(nameOf(keys, block));
  }
}
