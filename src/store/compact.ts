/**
 * Compaction: parts move to where memory is fullest, so that free memory comes together in long runs and empty segments.
 *
 * Low segments fill first, each from its high end. A pass takes one segment, the highest first, and in it the parts from the low end upwards. Each
 * moves to the shortest free run that it fits into, if that is nearer to the full end. Every move brings bytes nearer to it, so that passes come to an
 * end. Blocks of slabs stay: a slab is given back when it is empty.
 */

import { classBytesMax } from '../alloc/classes.ts';
import { granuleShift, type Ref } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { isLive } from './contexts.ts';
import { bump, counter } from './counters.ts';
import { commitSlot, committed, field, segmentOf, trait, wordOf } from './entry.ts';
import { mayMove, movePart } from './move.ts';
import { charge, freePayload } from './publish.ts';
import { sweepRetired } from './remove.ts';
import type { Store } from './store.ts';

/** What a call did. See `Pool.compact` in pool/api.ts. */
export interface Compacted {
  readonly movedParts: number;
  readonly movedBytes: number;
  readonly done: boolean;
}

/** Compacts a store bit by bit: remembers where the last call ended. */
export class Compactor {
  readonly #store: Store;
  /** The segment whose turn it is, counted from the last one. */
  #turn = 0;
  /** Segments in a row in which nothing could move. */
  #still = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Moves parts until `limitBytes` have been moved, or nothing more is to be moved. */
  run(limitBytes: number): Compacted {
    const { segments } = this.#store.region;
    let movedParts = 0;
    let movedBytes = 0;
    sweepRetired(this.#store);
    this.#store.allocator.flush(); // what is held back for the next request is in the way
    this.#still = 0;
    while (movedBytes < limitBytes && this.#still < segments.length) {
      const number = segments.length - 1 - (this.#turn % segments.length);
      const moved = this.#compactSegment(number, limitBytes - movedBytes);
      movedParts += moved.parts;
      movedBytes += moved.bytes;
      if (moved.cutShort) break;
      this.#still = moved.parts === 0 ? this.#still + 1 : 0;
      this.#turn = (this.#turn + 1) % segments.length;
    }
    return { movedParts, movedBytes, done: this.#still >= segments.length };
  }

  #compactSegment(
    number: number,
    limitBytes: number,
  ): { readonly parts: number; readonly bytes: number; readonly cutShort: boolean } {
    const store = this.#store;
    let parts = 0;
    let bytes = 0;
    for (const { ref, words, at, payload } of this.#partsIn(number)) {
      if (bytes >= limitBytes) return { parts, bytes, cutShort: true };
      const kind = peek(words, at + field.traits) & trait.kindMask;
      const blockBytes = peek(words, at + field.blockBytes);
      const to = store.allocator.allocateNearer(payload);
      if (to === 0) continue;
      const given = charge(store, kind, to, 0, blockBytes);
      if (!movePart(store, ref, words, at, to)) {
        freePayload(store, { kind, sensitive: false }, given);
        continue;
      }
      parts++;
      bytes += blockBytes;
      bump(store.control, store.countersAt + counter.moves, 1);
    }
    store.allocator.flush(); // what was left behind comes together
    return { parts, bytes, cutShort: false };
  }

  /** Parts with a run in that segment, from its emptier end on. */
  #partsIn(number: number): { ref: Ref; words: Int32Array; at: number; payload: Ref }[] {
    const { entries, region } = this.#store;
    const shift = region.segmentShift - granuleShift;
    const found: { ref: Ref; words: Int32Array; at: number; payload: Ref }[] = [];
    for (let ordinal = 0; ordinal < entries.count; ordinal++) {
      const ref = entries.at(ordinal);
      const { words } = segmentOf(region, ref);
      const at = wordOf(region, ref);
      if (!isLive(words, at) || peek(words, at + field.blockBytes) <= classBytesMax) continue;
      const payload = peek(words, committed(words, at) + commitSlot.ref);
      if (payload >>> shift !== number || !mayMove(this.#store, ref, words, at)) continue;
      found.push({ ref, words, at, payload });
    }
    return found.sort((a, b) => a.payload - b.payload);
  }
}
