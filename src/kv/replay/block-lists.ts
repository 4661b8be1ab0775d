/** Lists of numbered blocks; a block is in one of them at most. */

const none = -1;

export class BlockLists {
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #list: Int8Array;
  readonly #newest: Int32Array;
  readonly #oldest: Int32Array;
  readonly #sizes: Int32Array;

  constructor(blocks: number, lists: number) {
    this.#newer = new Int32Array(blocks);
    this.#older = new Int32Array(blocks);
    this.#list = new Int8Array(blocks).fill(none);
    this.#newest = new Int32Array(lists).fill(none);
    this.#oldest = new Int32Array(lists).fill(none);
    this.#sizes = new Int32Array(lists);
  }

  /** The list that a block is in, or below 0. */
  listOf(block: number): number {
    return this.#list[block] as number;
  }

  size(list: number): number {
    return this.#sizes[list] as number;
  }

  /** The block that has been in a list longest, or below 0. */
  oldest(list: number): number {
    return this.#oldest[list] as number;
  }

  /** Makes a block the newest of a list, wherever it was. */
  put(list: number, block: number): void {
    this.remove(block);
    const newest = this.#newest[list] as number;
    this.#newer[block] = none;
    this.#older[block] = newest;
    if (newest === none) this.#oldest[list] = block;
    else this.#newer[newest] = block;
    this.#newest[list] = block;
    this.#list[block] = list;
    this.#sizes[list] = (this.#sizes[list] as number) + 1;
  }

  remove(block: number): void {
    const list = this.#list[block] as number;
    if (list < 0) return;
    const newer = this.#newer[block] as number;
    const older = this.#older[block] as number;
    if (newer === none) this.#newest[list] = older;
    else this.#older[newer] = older;
    if (older === none) this.#oldest[list] = newer;
    else this.#newer[older] = newer;
    this.#list[block] = none;
    this.#sizes[list] = (this.#sizes[list] as number) - 1;
  }
}
