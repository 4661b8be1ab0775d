/**
 * What happens when a sequence needs a block and none is free, step by step:
 *
 * 1. evict: a block that is cached and idle (the cache does that itself, by its policy);
 * 2. trim: what sequences have reserved and not written yet;
 * 3. offload: whoever is to wait is stored elsewhere first, so that he need not be computed again;
 * 4. preempt: he ends, and is begun anew later. His blocks stay cached until they are taken, so he often finds most of them again.
 *
 * Who waits: of the lowest priority he who arrived last (`priority`), or whoever arrived last (`fcfs`), as in vLLM. A new prompt makes nobody wait.
 */

import { noPlace, sessionHint } from '../evict/api.ts';
import type { KvCache, PrefillOptions } from './kv-cache.ts';
import { stateOf } from './kv-cache.ts';
import type { Offload, Transfer } from './offload.ts';
import { field, type Sequences } from './sequences.ts';
import { noRoom } from './state.ts';

export interface LadderOptions {
  readonly order?: 'fcfs' | 'priority';
  readonly offload?: Offload;
  /**
   * A sequence has ended to make room: the engine stops it and begins it anew, with all tokens it has, when there is room.
   * @param transfer what is being stored of it; the engine says when that is complete
   */
  readonly preempted: (sequence: number, transfer: Transfer | undefined) => void;
}

/** Answer where room comes as soon as transfers complete. */
export const later = -2;
const relieved = 0;

export class PressureLadder {
  readonly #cache: KvCache;
  readonly #sequences: Sequences;
  readonly #options: LadderOptions;

  constructor(cache: KvCache, options: LadderOptions) {
    this.#cache = cache;
    this.#sequences = stateOf(cache).sequences;
    this.#options = options;
  }

  /** As the cache's own; trims before it gives up. */
  prefill(tokens: Int32Array | Uint32Array, options?: PrefillOptions): number {
    const sequence = this.#cache.prefill(tokens, options);
    if (sequence !== noRoom || this.#cache.trim() === 0) return sequence;
    return this.#cache.prefill(tokens, options);
  }

  /**
   * As the cache's own, making room step by step.
   * @returns one of `step`; `later`: call again when a transfer has ended; `noRoom`: it was the sequence's own turn to wait, and it has been
   *   preempted itself
   * @throws unknown_sequence
   */
  decode(sequence: number, token: number): number {
    let result = this.#cache.decode(sequence, token);
    while (result === noRoom) {
      const relief = this.#relieve(sequence);
      if (relief !== relieved) return relief;
      result = this.#cache.decode(sequence, token);
    }
    return result;
  }

  /** The same for several tokens. @throws unknown_sequence, invalid_argument, value_too_large */
  append(sequence: number, tokens: Int32Array | Uint32Array): number {
    let result = this.#cache.append(sequence, tokens);
    while (result === noRoom) {
      const relief = this.#relieve(sequence);
      if (relief !== relieved) return relief;
      result = this.#cache.append(sequence, tokens);
    }
    return result;
  }

  /** One step up the ladder. @returns `relieved` when it may help to try again */
  #relieve(sequence: number): number {
    if (this.#cache.trim() > 0) return relieved;
    // Room is on its way: to wait for it costs less than to compute somebody anew.
    if ((this.#options.offload?.blocksToCome() ?? 0) > 0) return later;
    const victim = this.#sequences.idOf(this.#last());
    this.#preempt(victim);
    return victim === sequence ? noRoom : relieved;
  }

  #preempt(victim: number): void {
    const transfer = this.#options.offload?.prepareStore(victim);
    this.#cache.end(victim, { hint: sessionHint.goesOn });
    this.#options.preempted(victim, transfer);
  }

  /** The slot of whoever is to wait; there is at least one sequence. */
  #last(): number {
    const sequences = this.#sequences;
    const byPriority = this.#options.order === 'priority';
    let last = noPlace;
    for (let slot = 0; slot < sequences.slots; slot++) {
      if (!sequences.isActive(slot)) continue;
      if (last === noPlace || isLater(sequences, slot, last, byPriority)) last = slot;
    }
    return last;
  }
}

function isLater(sequences: Sequences, slot: number, other: number, byPriority: boolean): boolean {
  const rank = byPriority
    ? sequences.get(slot, field.priority) - sequences.get(other, field.priority)
    : 0;
  if (rank !== 0) return rank < 0;
  // Numbers of arrivals wrap: the shorter way round is the order.
  const distance = (sequences.get(slot, field.arrival) - sequences.get(other, field.arrival)) << 1;
  return distance > 0;
}
