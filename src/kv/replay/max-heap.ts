import { grown } from '../../base/grown.ts';

/** A binary heap of ranked blocks in two typed arrays, the highest rank on top. */
export class MaxHeap {
  #ranks = new Float64Array(1024);
  #blocks = new Int32Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Rank and block on top of a heap that is not empty. */
  get rank(): number {
    return this.#ranks[0] as number;
  }

  get block(): number {
    return this.#blocks[0] as number;
  }

  push(rank: number, block: number): void {
    if (this.#size === this.#ranks.length) this.#grow();
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#ranks[parent] as number) >= rank) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#ranks[at] = rank;
    this.#blocks[at] = block;
  }

  /** Takes the top off a heap that is not empty. */
  pop(): void {
    this.#size -= 1;
    this.#sink(0, this.#ranks[this.#size] as number, this.#blocks[this.#size] as number);
  }

  /** Throws out what `keep` does not want. */
  retain(keep: (rank: number, block: number) => boolean): void {
    let kept = 0;
    for (let at = 0; at < this.#size; at += 1) {
      if (!keep(this.#ranks[at] as number, this.#blocks[at] as number)) continue;
      this.#move(at, kept);
      kept += 1;
    }
    this.#size = kept;
    for (let at = (kept >> 1) - 1; at >= 0; at -= 1)
      this.#sink(at, this.#ranks[at] as number, this.#blocks[at] as number);
  }

  /** Puts a ranked block at `from` or as far below as it belongs. */
  #sink(from: number, rank: number, block: number): void {
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      const right = child + 1;
      if (right < this.#size && (this.#ranks[right] as number) > (this.#ranks[child] as number))
        child = right;
      if ((this.#ranks[child] as number) <= rank) break;
      this.#move(child, at);
      at = child;
    }
    this.#ranks[at] = rank;
    this.#blocks[at] = block;
  }

  #move(from: number, to: number): void {
    this.#ranks[to] = this.#ranks[from] as number;
    this.#blocks[to] = this.#blocks[from] as number;
  }

  #grow(): void {
    this.#ranks = grown(this.#ranks, 2 * this.#ranks.length);
    this.#blocks = grown(this.#blocks, this.#ranks.length);
  }
}
