/**
 * Room for what comes: by evicting what is oldest, then what is as long, then all that is in the coldest windows; where memory is in pieces, by bringing it
 * together.
 */

import { classBytesMax } from '../alloc/classes.ts';
import { metadataKind, type Kind } from '../alloc/kind.ts';
import type { Ref } from '../memory/region.ts';
import { compact } from './compact.ts';
import { reapOwners } from './reap.ts';
import { sweepRetired } from './remove.ts';
import type { Store } from './store.ts';
import { evictWindows } from './window.ts';

/** Parts that are evicted for one request before only those go whose memory would do, and before whole windows are cleared. */
const oldestFirst = 24;
const singleEvictions = 48;
/**
 * Once memory has run out, what is evicted is what comes: only one refusal in so many, and one eviction in so many for the same request, has all owners
 * give back what they hold, which takes several times as long as the eviction.
 */
const refusalsPerRelief = 32;
const evictionsPerRelief = 8;
/** Memory in pieces is brought together when there is this many times as much of it as is asked for … */
const freeFactor = 2;
/** … by moving so many times as much, and at least this … */
const moveFactor = 4;
const moveMinBytes: number = 4 * 2 ** 20;
/** … and not again before so many requests more found no room: twice as many after each time that brought room for less than this part of what was moved. */
const compactionInterval = 64;
const compactionGain = 2;
const compactionIntervalMax: number = 2 ** 16;

export class Room {
  readonly #store: Store;
  /** Refusals to go until all give back what they hold. */
  #untilRelief = 0;
  /** Requests to go until memory is compacted again, and how many those are. */
  #patience = 0;
  #compactionInterval: number = compactionInterval;
  /** What was moved last, until that is judged, and what has found room since. In KiB, which fit in a small integer. */
  #movedKib = 0;
  #foundKib = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Metadata memory; 0 when nothing may go. */
  readonly allocateMetadata = (sizeBytes: number): Ref => this.allocate(metadataKind, sizeBytes);

  /** The same of what is free: evicts nothing. */
  readonly allocateFreeMetadata = (sizeBytes: number): Ref => this.#ask(metadataKind, sizeBytes);

  /** Memory of a kind, evicting as needed; 0 when nothing may go. The part that `store.key` names is spared. @throws pool_busy */
  allocate(kind: Kind, sizeBytes: number): Ref {
    const store = this.#store;
    const ref = this.#ask(kind, sizeBytes);
    if (ref !== 0) return ref;
    if (store.pen.isHeld) return this.#roomFor(kind, sizeBytes);
    store.pen.take();
    try {
      store.protectedEntry = store.find();
      return this.#roomFor(kind, sizeBytes);
    } finally {
      store.protectedEntry = 0;
      store.pen.give();
    }
  }

  /** Has all give back what they hold when memory is asked for next, once: nothing may be evicted. */
  insist(): void {
    this.#untilRelief = 0;
  }

  #ask(kind: Kind, sizeBytes: number): Ref {
    const { allocator } = this.#store;
    const isAtHand = this.#untilRelief > 0;
    const ref = isAtHand
      ? allocator.allocateAtHand(kind, sizeBytes)
      : allocator.allocate(kind, sizeBytes);
    if (ref === 0) this.#untilRelief = isAtHand ? this.#untilRelief - 1 : refusalsPerRelief;
    else this.#foundKib = (this.#foundKib + (sizeBytes >> 10)) & 0x3fff_ffff;
    return ref;
  }

  #roomFor(kind: Kind, sizeBytes: number): Ref {
    const room = this.#makeRoom(kind, sizeBytes);
    if (room !== 0) return room;
    // What is pinned may move, and cannot make room otherwise: that is not put off for as long.
    this.#patience = Math.min(this.#patience, compactionInterval);
    // Before the pool is called full: owners that died may hold what is in the way.
    return reapOwners(this.#store) > 0 ? this.#makeRoom(kind, sizeBytes) : 0;
  }

  #makeRoom(kind: Kind, sizeBytes: number): Ref {
    const store = this.#store;
    let ref = sweepRetired(store) > 0 ? store.allocator.allocate(kind, sizeBytes) : 0;
    if (ref === 0) ref = this.#compacted(kind, sizeBytes);
    // Every round evicts something. A cleared window is enough, unless it is the bound on all bytes that is in the way.
    while (ref === 0) {
      ref = this.#evictSingly(kind, sizeBytes);
      if (ref !== 0) break;
      if (!evictWindows(store, sizeBytes)) return 0;
      ref = store.allocator.allocate(kind, sizeBytes);
    }
    return ref;
  }

  #evictSingly(kind: Kind, sizeBytes: number): Ref {
    const { allocator, evictor } = this.#store;
    let fits = true;
    for (let evictions = 1; evictions <= singleEvictions; evictions++) {
      if (evictions > oldestFirst) fits &&= evictor.evictFitting(kind, sizeBytes);
      const isFitting = evictions > oldestFirst && fits;
      if (!isFitting && !evictor.evictOwn()) break;
      const isRelief =
        evictions % evictionsPerRelief === 0 || (isFitting && sizeBytes > classBytesMax);
      const ref = isRelief
        ? allocator.allocate(kind, sizeBytes)
        : allocator.allocateAtHand(kind, sizeBytes);
      if (ref !== 0) return ref;
    }
    return allocator.allocate(kind, sizeBytes);
  }

  /** Where there is memory enough but in pieces, moving a little is better than evicting. @returns memory that has come together, or 0 */
  #compacted(kind: Kind, sizeBytes: number): Ref {
    const { allocator } = this.#store;
    if (sizeBytes <= classBytesMax || allocator.freeBytes < freeFactor * sizeBytes) return 0;
    this.#judgeCompaction();
    if (this.#patience > 0) {
      this.#patience--;
      return 0;
    }
    const limitBytes = Math.max(moveMinBytes, moveFactor * sizeBytes);
    const { movedBytes } = compact(this.#store, limitBytes);
    const ref = movedBytes > 0 ? allocator.allocate(kind, sizeBytes) : 0;
    this.#movedKib = Math.max(1, Math.floor(movedBytes / 1024));
    this.#foundKib = ref === 0 ? 0 : sizeBytes >> 10;
    return ref;
  }

  /** At the first request since a compaction that finds no room. */
  #judgeCompaction(): void {
    if (this.#movedKib === 0) return;
    const isPaid = this.#foundKib * compactionGain >= this.#movedKib;
    const interval = isPaid ? compactionInterval : 2 * this.#compactionInterval;
    this.#compactionInterval = Math.min(interval, compactionIntervalMax);
    this.#patience = this.#compactionInterval;
    this.#movedKib = 0;
  }
}
