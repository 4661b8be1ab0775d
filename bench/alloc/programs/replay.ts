/** A recorded trace, played from the first operation to the last and again. As native/replay.c. */

import { readFileSync } from 'node:fs';
import type { Heap, Slots } from '../heaps/heap.ts';
import type { Play } from '../player.ts';
import type { Program, Share } from './program.ts';

export class ReplayProgram<H> implements Program {
  readonly #heap: Heap<H>;
  readonly #words: Int32Array;
  readonly #slots: Slots<H>;
  #at = 0;

  constructor(heap: Heap<H>, play: Play) {
    const bytes = readFileSync(play.file ?? '');
    this.#heap = heap;
    this.#words = new Int32Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    );
    this.#slots = heap.slots(play.slots);
  }

  round(amount: number): Share {
    let left = amount;
    while (left > 0) {
      const operations = Math.min(left, this.#words.length / 2 - this.#at);
      this.#run(this.#at, this.#at + operations);
      left -= operations;
      this.#at = (this.#at + operations) % (this.#words.length / 2);
    }
    return { operations: amount, failures: 0, state: this.#at, restNs: 0 };
  }

  #run(from: number, to: number): void {
    const { none, kind, source, memory } = this.#heap;
    const words = this.#words;
    const slots = this.#slots;
    for (let i = from; i < to; i += 1) {
      const slot = words[2 * i] as number;
      const sizeBytes = words[2 * i + 1] as number;
      if (sizeBytes === 0) {
        source.free(slots[slot] as H, kind);
        continue;
      }
      const block = source.allocate(kind, sizeBytes);
      if (block === none) throw new Error('out of memory');
      memory.touch(block);
      slots[slot] = block;
    }
  }
}
