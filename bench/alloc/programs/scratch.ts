/**
 * cache-scratch: one worker allocates a byte for each. A worker frees its byte; then, again and again, it allocates a byte,
 * writes it many times, and frees it. Workers whose bytes share a cache line slow each other down. As native/scratch.c.
 *
 * a: writes of all workers together to one byte each.
 */

import type { Heap } from '../heaps/heap.ts';
import type { Play } from '../player.ts';
import { type Program, type Share, sharedSlots, type Team } from './program.ts';

export class ScratchProgram<H> implements Program {
  readonly #heap: Heap<H>;
  readonly #play: Play;
  readonly #worker: number;
  readonly #team: Team;
  readonly #first: { [index: number]: H };

  constructor(heap: Heap<H>, play: Play, worker: number, team: Team) {
    this.#heap = heap;
    this.#play = play;
    this.#worker = worker;
    this.#team = team;
    this.#first = sharedSlots(heap.none, team.board, () => heap.slots(1), play.workers);
    if (worker > 0) return;
    for (let i = 0; i < play.workers; i += 1) {
      this.#first[i] = heap.source.allocate(heap.kind, 1);
    }
  }

  round(amount: number): Share {
    const { none, kind, source } = this.#heap;
    const first = this.#first[this.#worker] as H;
    if (first !== none) source.free(first, kind);
    this.#first[this.#worker] = none;
    this.#team.meet();
    const writes = Math.floor(this.#play.a / this.#play.workers);
    for (let i = 0; i < amount; i += 1) {
      const block = source.allocate(kind, 1);
      const { bytes, at } = this.#heap.bytesOf(block);
      writeOften(bytes, at, writes);
      source.free(block, kind);
    }
    const operations = this.#worker === 0 ? amount : 0; // time is of a round of all
    return { operations, failures: 0, state: 0, restNs: 0 };
  }
}

function writeOften(bytes: Uint8Array, at: number, writes: number): void {
  for (let i = 0; i < writes; i += 1) bytes[at] = (bytes[at] as number) + 1;
}
