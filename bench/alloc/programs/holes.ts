/**
 * Free holes: memory full of free runs of one to four pages, each between blocks in use. Then a large block is allocated and
 * freed again and again: the allocator must not look at every hole. As native/holes.c.
 *
 * slots: holes. a: bytes of the large block.
 */

import type { Heap } from '../heaps/heap.ts';
import { nextWord } from '../house.ts';
import type { Play } from '../player.ts';
import { type Program, seedOf, type Share } from './program.ts';

const pageBytes = 4096;
/** Above what slabs serve, as a page is for native allocators with their headers. */
const keeperBytes = pageBytes + 1;

export class HolesProgram<H> implements Program {
  readonly #heap: Heap<H>;
  readonly #sizeBytes: number;

  constructor(heap: Heap<H>, play: Play) {
    this.#heap = heap;
    this.#sizeBytes = play.a;
    const { kind, source } = heap;
    const holes = heap.slots(play.slots);
    let state = seedOf(0);
    for (let k = 0; k < play.slots; k += 1) {
      state = nextWord(state);
      const pages = 1 + ((state & 0x7fffffff) % 4);
      holes[k] = source.allocate(kind, keeperBytes + (pages - 1) * pageBytes);
      source.allocate(kind, keeperBytes); // stays, and keeps holes apart
    }
    for (let k = 0; k < play.slots; k += 1) source.free(holes[k] as H, kind);
  }

  round(amount: number): Share {
    const { none, kind, source, memory } = this.#heap;
    for (let i = 0; i < amount; i += 1) {
      const block = source.allocate(kind, this.#sizeBytes);
      if (block === none) throw new Error('out of memory');
      memory.touch(block);
      source.free(block, kind);
    }
    return { operations: amount, failures: 0, state: 0, restNs: 0 };
  }
}
