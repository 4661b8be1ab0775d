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
  readonly #play: Play;
  readonly #produces: boolean;
  readonly #queue: Queue;
  readonly #fill: (blocks: Int32Array, state: number) => number;
  readonly #free: (blocks: Int32Array) => void;
  #state: number;

  constructor(heap: Heap<H>, play: Play, worker: number, team: Team) {
    if (typeof heap.none !== 'number') throw new Error('blocks of this heap stay in their thread');
    this.#play = play;
    this.#produces = worker < play.workers / 2;
    this.#queue = new Queue(team, play.a, play.slots);
    if (worker === 0) this.#queue.open();
    this.#fill = fillLoop(heap as unknown as Heap<number>, play);
    this.#free = freeLoop(heap as unknown as Heap<number>, play);
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
    const batch = this.#queue.takeEmpty();
    this.#state = this.#fill(this.#queue.blocksOf(batch), this.#state);
    this.#queue.giveFull(batch);
  }

  #consume(): void {
    const batch = this.#queue.takeFull();
    this.#free(this.#queue.blocksOf(batch));
    this.#queue.giveEmpty(batch);
  }
}

/**
 * The loops that are measured, over constants, as in ../house.ts.
 *
 * @returns fills a batch; gives back where the generator stands
 */
function fillLoop(
  { none, kind, source, memory }: Heap<number>,
  { slots, b }: Play,
): (blocks: Int32Array, state: number) => number {
  return (blocks, state) => {
    let x = state;
    for (let i = 0; i < slots; i += 1) {
      let sizeBytes = b;
      if (b === 0) {
        x = nextWord(x);
        sizeBytes = 8 << ((x & 0x7fffffff) % mixedSizes);
      }
      const block = source.allocate(kind, sizeBytes);
      if (block === none) throw new Error('out of memory');
      memory.touch(block);
      blocks[i] = block;
    }
    return x;
  };
}

/** @returns frees a batch */
function freeLoop({ kind, source }: Heap<number>, { slots }: Play): (blocks: Int32Array) => void {
  return (blocks) => {
    for (let i = 0; i < slots; i += 1) source.free(blocks[i] as number, kind);
  };
}
