/**
 * xmalloc-test: the first half of the workers allocate batches of blocks, the other half frees them. Every free is one of
 * another thread's block. As native/xmalloc.c.
 *
 * slots: blocks of a batch. a: batches that may be on their way. b: bytes of a block; 0 draws 8, 16 … 2048.
 */

import type { Heap } from '../heaps/heap.ts';
import { nextWord } from '../house.ts';
import type { Play } from '../player.ts';
import { type Program, seedOf, type Share, type Team } from './program.ts';
import { Queue } from './queue.ts';

const mixedSizes = 9;

export class XmallocProgram<H> implements Program {
  readonly #heap: Heap<number>;
  readonly #play: Play;
  readonly #produces: boolean;
  readonly #queue: Queue;
  #state: number;

  constructor(heap: Heap<H>, play: Play, worker: number, team: Team) {
    if (typeof heap.none !== 'number') throw new Error('blocks of this heap stay in their thread');
    this.#heap = heap as unknown as Heap<number>;
    this.#play = play;
    this.#produces = worker < play.workers / 2;
    this.#queue = new Queue(team, play.a, play.slots);
    if (worker === 0) this.#queue.open();
    this.#state = seedOf(worker);
  }

  /** Operations are frees; each worker of either half does its share of the batches. */
  round(amount: number): Share {
    const { slots } = this.#play;
    const batches = Math.ceil(amount / slots);
    for (let i = 0; i < batches; i += 1) {
      if (this.#produces) this.#produce();
      else this.#consume();
    }
    const operations = this.#produces ? 0 : batches * slots;
    return { operations, failures: 0, state: this.#state >>> 0, restNs: 0 };
  }

  #produce(): void {
    const { kind, source, memory } = this.#heap;
    const { slots, b } = this.#play;
    const batch = this.#queue.takeEmpty();
    const blocks = this.#queue.blocksOf(batch);
    for (let i = 0; i < slots; i += 1) {
      let sizeBytes = b;
      if (b === 0) {
        this.#state = nextWord(this.#state);
        sizeBytes = 8 << ((this.#state & 0x7fffffff) % mixedSizes);
      }
      const block = source.allocate(kind, sizeBytes);
      if (block === 0) throw new Error('out of memory');
      memory.touch(block);
      blocks[i] = block;
    }
    this.#queue.giveFull(batch);
  }

  #consume(): void {
    const { kind, source } = this.#heap;
    const { slots } = this.#play;
    const batch = this.#queue.takeFull();
    const blocks = this.#queue.blocksOf(batch);
    for (let i = 0; i < slots; i += 1) source.free(blocks[i] as number, kind);
    this.#queue.giveEmpty(batch);
  }
}
