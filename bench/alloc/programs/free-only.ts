/**
 * Free-only worker: all workers but the last hold a fixed number of blocks and replace them at random; the last one frees
 * what they replaced and allocates nothing. Memory must not pile up. As native/free-only.c.
 *
 * slots: blocks of a worker. a: batches that may be on their way. b: blocks of a batch. c: bytes of a block.
 */

import type { Heap } from '../heaps/heap.ts';
import { nextWord } from '../house.ts';
import type { Play } from '../player.ts';
import { type Program, seedOf, type Share, type Team } from './program.ts';
import { Queue } from './queue.ts';

export class FreeOnlyProgram<H> implements Program {
  readonly #heap: Heap<number>;
  readonly #play: Play;
  readonly #produces: boolean;
  readonly #queue: Queue;
  #blocks: Int32Array | undefined;
  #state: number;

  constructor(heap: Heap<H>, play: Play, worker: number, team: Team) {
    if (typeof heap.none !== 'number') throw new Error('blocks of this heap stay in their thread');
    this.#heap = heap as unknown as Heap<number>;
    this.#play = play;
    this.#produces = worker < play.workers - 1;
    this.#queue = new Queue(team, play.a, play.b);
    if (worker === 0) this.#queue.open();
    this.#state = seedOf(worker);
  }

  round(amount: number): Share {
    const { workers, b } = this.#play;
    const batches = Math.ceil(amount / b);
    const all = batches * (workers - 1);
    if (this.#produces) {
      this.#blocks ??= Int32Array.from({ length: this.#play.slots }, () => this.#take());
      for (let i = 0; i < batches; i += 1) this.#replace(this.#blocks);
    } else {
      for (let i = 0; i < all; i += 1) this.#free();
    }
    const operations = this.#produces ? 0 : all * b;
    return { operations, failures: 0, state: this.#state >>> 0, restNs: 0 };
  }

  #take(): number {
    const { kind, source, memory } = this.#heap;
    const block = source.allocate(kind, this.#play.c);
    if (block === 0) throw new Error('out of memory');
    memory.touch(block);
    return block;
  }

  #replace(held: Int32Array): void {
    const batch = this.#queue.takeEmpty();
    const blocks = this.#queue.blocksOf(batch);
    for (let i = 0; i < blocks.length; i += 1) {
      this.#state = nextWord(this.#state);
      const k = (this.#state & 0x7fffffff) % held.length;
      blocks[i] = held[k] as number;
      held[k] = this.#take();
    }
    this.#queue.giveFull(batch);
  }

  #free(): void {
    const { kind, source } = this.#heap;
    const batch = this.#queue.takeFull();
    const blocks = this.#queue.blocksOf(batch);
    for (let i = 0; i < blocks.length; i += 1) source.free(blocks[i] as number, kind);
    this.#queue.giveEmpty(batch);
  }
}
