/**
 * Batches of references on their way from those who allocate to those who free, in shared memory: a fixed number, each in one
 * of two stacks. As native/queue.c.
 *
 * ```
 * word 0 lock of full │ 1 depth of full │ 2 lock of empty │ 3 depth of empty │ full stack │ empty stack │ batches
 * ```
 * A depth word is waited on while it is 0.
 */

import { lock, unlock } from '../mutex.ts';
import type { Team } from './program.ts';

const headerWords = 4;
const fullLock = 0;
const emptyLock = 2;

export function queueBytes(batches: number, size: number): number {
  return 4 * (headerWords + 2 * batches + batches * size);
}

export class Queue {
  readonly #words: Int32Array;
  readonly #batches: number;
  readonly #size: number;

  constructor({ board }: Team, batches: number, size: number) {
    this.#words = new Int32Array(board);
    this.#batches = batches;
    this.#size = size;
  }

  /** All batches are empty. Once, by one worker. */
  open(): void {
    for (let batch = 0; batch < this.#batches; batch += 1) this.#push(emptyLock, batch);
  }

  /** Waits for an empty batch. */
  takeEmpty(): number {
    return this.#pop(emptyLock);
  }

  takeFull(): number {
    return this.#pop(fullLock);
  }

  giveEmpty(batch: number): void {
    this.#push(emptyLock, batch);
  }

  giveFull(batch: number): void {
    this.#push(fullLock, batch);
  }

  /** Where the references of a batch stand. */
  blocksOf(batch: number): Int32Array {
    const from = headerWords + 2 * this.#batches + batch * this.#size;
    return this.#words.subarray(from, from + this.#size);
  }

  #stackAt(which: number): number {
    return headerWords + (which === fullLock ? 0 : this.#batches);
  }

  #push(which: number, batch: number): void {
    const words = this.#words;
    lock(words, which);
    const depth = Atomics.load(words, which + 1);
    Atomics.store(words, this.#stackAt(which) + depth, batch);
    Atomics.store(words, which + 1, depth + 1);
    unlock(words, which);
    Atomics.notify(words, which + 1, 1);
  }

  #pop(which: number): number {
    const words = this.#words;
    for (;;) {
      lock(words, which);
      const depth = Atomics.load(words, which + 1);
      if (depth > 0) {
        const batch = Atomics.load(words, this.#stackAt(which) + depth - 1);
        Atomics.store(words, which + 1, depth - 1);
        unlock(words, which);
        return batch;
      }
      unlock(words, which);
      Atomics.wait(words, which + 1, 0);
    }
  }
}
