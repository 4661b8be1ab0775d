/**
 * larson: every worker frees a random block of its array and allocates another in its place. After each round the arrays go
 * on to the next worker, which from then on frees what others allocated. As native/larson.c.
 */

import type { Heap } from '../heaps/heap.ts';
import { nextWord } from '../house.ts';
import type { Play } from '../player.ts';
import { type Program, seedOf, type Share, sharedSlots, type Team } from './program.ts';

/** Operations of one call, few as in ./house.ts. */
const chunk = 100;

export class LarsonProgram<H> implements Program {
  readonly #heap: Heap<H>;
  readonly #replace: (state: number, from: number, amount: number) => number;
  readonly #play: Play;
  readonly #worker: number;
  readonly #team: Team;
  readonly #blocks: { [index: number]: H };
  #state: number;
  #rounds = 0;

  constructor(heap: Heap<H>, play: Play, worker: number, team: Team) {
    this.#heap = heap;
    this.#play = play;
    this.#worker = worker;
    this.#team = team;
    this.#blocks = sharedSlots(heap.none, team.board, () => heap.slots(play.slots), play.workers);
    this.#state = seedOf(worker);
    this.#replace = replaceLoop(heap, this.#blocks, play);
  }

  round(amount: number): Share {
    const { slots, workers } = this.#play;
    if (this.#rounds === 0) this.#fill();
    this.#team.meet();
    const array = (this.#worker + this.#rounds) % workers;
    this.#rounds += 1;
    for (let done = 0; done < amount; done += chunk) {
      this.#state = this.#replace(this.#state, array * slots, Math.min(chunk, amount - done));
    }
    return { operations: amount, failures: 0, state: this.#state >>> 0, restNs: 0 };
  }

  /** Block k of a worker goes to the array of the (k mod workers)-th after it. */
  #fill(): void {
    const { slots, workers, ranges } = this.#play;
    const { lowBytes, highBytes } = ranges[0] as { lowBytes: number; highBytes: number };
    const { kind, source } = this.#heap;
    for (let k = 0; k < slots; k += 1) {
      const array = (this.#worker + k) % workers;
      this.#state = nextWord(this.#state);
      const sizeBytes = lowBytes + ((this.#state & 0x7fffffff) % (highBytes - lowBytes + 1));
      this.#blocks[array * slots + k] = source.allocate(kind, sizeBytes);
    }
  }
}

/**
 * The loop that is measured, over constants, as in ../house.ts.
 *
 * @returns replaces `amount` blocks from slot `from` on; gives back where the generator stands
 */
function replaceLoop<H>(
  { none, kind, source, memory }: Heap<H>,
  blocks: { [index: number]: H },
  { slots, ranges }: Play,
): (state: number, from: number, amount: number) => number {
  const { lowBytes, highBytes } = ranges[0] as { lowBytes: number; highBytes: number };
  const span = highBytes - lowBytes + 1;
  return (state, from, amount) => {
    let x = state;
    for (let i = 0; i < amount; i += 1) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const k = from + ((x & 0x7fffffff) % slots);
      source.free(blocks[k] as H, kind);
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const block = source.allocate(kind, lowBytes + ((x & 0x7fffffff) % span));
      if (block === none) throw new Error('out of memory');
      memory.touch(block);
      blocks[k] = block;
    }
    return x;
  };
}
