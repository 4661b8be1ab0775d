/**
 * Room for what comes: sampled eviction, and where fragments are in the way, the coldest window.
 *
 * Sampling follows Redis: some entries at random, the best candidates kept between rounds, the oldest of them goes; how old each is, the ranking of
 * the pool's policy says. With 16 draws and 32 kept candidates the hit ratio of `lru` is that of exact LRU within measurement (traces.test.ts).
 */

import { classBytesMax } from '../alloc/classes.ts';
import { metadataKind, type Kind } from '../alloc/kind.ts';
import { type EntryFacts, type EntryRanking, makeEntryRanking } from '../evict/entries.ts';
import type { Ref } from '../memory/region.ts';
import { peek, type Words } from '../memory/words.ts';
import { compact } from './compact.ts';
import {
  commitSlot,
  committed,
  field,
  segmentOf,
  state,
  stateMask,
  trait,
  wordOf,
} from './entry.ts';
import { evidenceOf } from './hints.ts';
import { reapOwners } from './reap.ts';
import { retire, sweepRetired } from './remove.ts';
import type { Store } from './store.ts';
import { evictWindow } from './window.ts';

/** Entries drawn per eviction. */
const draws = 16;
/** Candidates kept between evictions. */
const kept = 32;
/** Draws that may hit free slots before a draw gives up and scans. */
const emptyDraws = 256;
/** Single evictions for one allocation before a whole window is cleared. */
const singleEvictions = 48;
/** Memory in pieces is brought together when there is this many times as much of it as is asked for … */
const freeFactor = 2;
/** … by moving so many times as much, and at least this … */
const moveFactor = 4;
const moveMinBytes: number = 4 * 2 ** 20;
/** … and not again before so many requests more found no room. */
const compactionInterval = 64;
/** Candidates that are passed over, as their memory is another owner's, before parts are looked through one after the other. */
const foreignMax = 8;
/** Entries of a store whose ages are learned in single accesses; of more, several accesses count as one. */
const entriesPerTick = 2 ** 16;
const typicalPartBytes: number = 2 ** 14;

export class Evictor {
  readonly #store: Store;
  /** Candidates in order of age, the oldest last: the next to go is popped. */
  readonly #refs = new Int32Array(kept);
  readonly #states = new Int32Array(kept);
  readonly #accesses = new Int32Array(kept);
  /** The tick at which the candidate would have been used last, going by the age that it was given when it was drawn. */
  readonly #births = new Int32Array(kept);
  #count = 0;
  /** Where to look for the next part whose memory comes back. */
  #ownAt = 0;
  readonly #ranking: EntryRanking;
  readonly #facts: EntryFacts = {
    ordinal: 0,
    life: 0,
    lastAccess: 0,
    ticks: 0,
    uses: 0,
    kind: 0,
    sizeBytes: 0,
    evidence: 0,
  };
  /** Requests to go until memory is compacted again. */
  #patience = 0;

  constructor(store: Store) {
    this.#store = store;
    const entries = store.region.superblock.capacityBytes / typicalPartBytes;
    const ticksShift = Math.max(0, Math.floor(Math.log2(entries / entriesPerTick)));
    this.#ranking = makeEntryRanking(store.options.eviction, ticksShift);
  }

  /** Metadata memory; 0 when nothing may go. */
  readonly allocateMetadata = (sizeBytes: number): Ref => this.allocate(metadataKind, sizeBytes);

  /** Memory of a kind, evicting as needed; 0 when nothing may go. The part that `store.key` names is spared. @throws pool_busy */
  allocate(kind: Kind, sizeBytes: number): Ref {
    const store = this.#store;
    const ref = store.allocator.allocate(kind, sizeBytes);
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

  #roomFor(kind: Kind, sizeBytes: number): Ref {
    const room = this.#makeRoom(kind, sizeBytes);
    // Before the pool is called full: owners that died may hold what is in the way.
    return room === 0 && reapOwners(this.#store) > 0 ? this.#makeRoom(kind, sizeBytes) : room;
  }

  /** Evicts the best candidate. By who holds the pen. @returns false when nothing may go */
  evictOne(): boolean {
    this.#draw();
    return this.#evict(this.#takeOldest() || this.#scan());
  }

  /** Evicts the best candidate whose memory comes back to this owner; of the others, it asks for theirs. @returns false when there is none */
  evictOwn(): boolean {
    for (let foreign = 0; foreign < foreignMax; foreign++) {
      this.#draw();
      const ref = this.#takeOldest();
      if (ref === 0) break;
      if (this.comesBack(ref)) return this.#evict(ref);
      if (foreign === 0) this.#store.allocator.askToShare();
    }
    return this.#evict(this.#nextOwn());
  }

  /** Whether what a part frees is memory for this owner. */
  comesBack(ref: Ref): boolean {
    const { words } = segmentOf(this.#store.region, ref);
    const at = wordOf(this.#store.region, ref);
    const block = peek(words, committed(words, at) + commitSlot.ref);
    return block === 0 || !this.#store.allocator.isOthers(block);
  }

  #evict(ref: Ref): boolean {
    if (ref === 0) return false;
    const { region } = this.#store;
    this.#ranking.evicted(this.#factsOf(segmentOf(region, ref).words, wordOf(region, ref)));
    retire(this.#store, ref, 'evicted');
    return true;
  }

  /** The part that would be evicted next, or 0. It may be asked for again only after others. */
  coldest(): Ref {
    this.#draw();
    return this.#takeOldest();
  }

  /** True when the entry is live and nothing holds it. */
  mayGo(ref: Ref, words: Words, at: number): boolean {
    if ((peek(words, at + field.state) & stateMask) !== state.live) return false;
    if ((peek(words, at + field.traits) & trait.pinned) !== 0) return false;
    return ref !== this.#store.protectedEntry && !this.#store.isLeased(words, at);
  }

  /** How long ago it was used, in ticks, as the ranking sees it: the larger the sooner it goes. */
  age(words: Words, at: number): number {
    return this.#ranking.age(this.#factsOf(words, at));
  }

  #factsOf(words: Words, at: number): EntryFacts {
    const facts = this.#facts;
    facts.ordinal = peek(words, at + field.ordinal);
    facts.life = peek(words, at + field.state);
    facts.lastAccess = peek(words, at + field.lastAccess);
    facts.ticks = this.#store.accessClock.since(facts.lastAccess);
    facts.uses = peek(words, at + field.uses);
    facts.kind = peek(words, at + field.traits) & trait.kindMask;
    facts.sizeBytes = peek(words, at + field.blockBytes);
    facts.evidence = evidenceOf(peek(words, at + field.hints));
    return facts;
  }

  #makeRoom(kind: Kind, sizeBytes: number): Ref {
    const store = this.#store;
    let ref = sweepRetired(store) > 0 ? store.allocator.allocate(kind, sizeBytes) : 0;
    if (ref === 0 && this.#compacts(sizeBytes)) ref = store.allocator.allocate(kind, sizeBytes);
    // Every round evicts something. A cleared window is enough, unless it is the bound on all bytes that is in the way.
    while (ref === 0) {
      for (let i = 0; i < singleEvictions && ref === 0; i++) {
        if (!this.evictOwn()) return 0;
        ref = store.allocator.allocate(kind, sizeBytes);
      }
      if (ref !== 0) break;
      if (!evictWindow(store, sizeBytes)) return 0;
      ref = store.allocator.allocate(kind, sizeBytes);
    }
    return ref;
  }

  /** Where there is memory enough but in pieces, moving a little is better than evicting. @returns true when something was moved */
  #compacts(sizeBytes: number): boolean {
    if (sizeBytes <= classBytesMax) return false;
    if (this.#store.allocator.freeBytes < freeFactor * sizeBytes) return false;
    if (this.#patience > 0) {
      this.#patience--;
      return false;
    }
    this.#patience = compactionInterval;
    const limitBytes = Math.max(moveMinBytes, moveFactor * sizeBytes);
    return compact(this.#store, limitBytes).movedParts > 0;
  }

  #draw(): void {
    const { entries, random, region } = this.#store;
    if (entries.count === 0) return;
    let misses = 0;
    for (let i = 0; i < draws && misses < emptyDraws;) {
      const ref = entries.at(random.below(entries.count));
      const { words } = segmentOf(region, ref);
      const at = wordOf(region, ref);
      if (this.mayGo(ref, words, at)) {
        this.#consider(ref, words, at);
        i++;
      } else {
        misses++;
      }
    }
  }

  /** Keeps an entry as candidate when there is place or it is older than the youngest kept. Most draws end at the first test. */
  #consider(ref: Ref, words: Words, at: number): void {
    const { now } = this.#store.accessClock;
    const age = this.age(words, at);
    const full = this.#count === kept;
    if (full && age <= this.#ageAt(0, now)) return;
    for (let i = 0; i < this.#count; i++) if (this.#refs[i] === ref) return;
    if (full) this.#dropYoungest();
    let slot = this.#count++;
    for (; slot > 0 && this.#ageAt(slot - 1, now) > age; slot--) this.#move(slot - 1, slot);
    this.#refs[slot] = ref;
    this.#states[slot] = peek(words, at + field.state);
    this.#accesses[slot] = peek(words, at + field.lastAccess);
    this.#births[slot] = (now - age) & 0x7fffffff;
  }

  #ageAt(i: number, now: number): number {
    return (now - (this.#births[i] as number)) & 0x7fffffff;
  }

  #move(from: number, to: number): void {
    this.#refs[to] = this.#refs[from] as number;
    this.#states[to] = this.#states[from] as number;
    this.#accesses[to] = this.#accesses[from] as number;
    this.#births[to] = this.#births[from] as number;
  }

  #dropYoungest(): void {
    this.#count--;
    for (let i = 0; i < this.#count; i++) this.#move(i + 1, i);
  }

  /** The oldest candidate that was neither used nor changed since it was drawn, or 0. */
  #takeOldest(): Ref {
    while (this.#count > 0) {
      const i = --this.#count;
      const ref = this.#refs[i] as number;
      const { words } = segmentOf(this.#store.region, ref);
      const at = wordOf(this.#store.region, ref);
      if (peek(words, at + field.state) !== this.#states[i]) continue;
      if (peek(words, at + field.lastAccess) !== this.#accesses[i]) continue;
      if (this.mayGo(ref, words, at)) return ref;
    }
    return 0;
  }

  /** When draws find nothing: the first entry that may go, from a random start. */
  #scan(): Ref {
    const { entries, random, region } = this.#store;
    const start = entries.count === 0 ? 0 : random.below(entries.count);
    for (let i = 0; i < entries.count; i++) {
      const ref = entries.at((start + i) % entries.count);
      if (this.mayGo(ref, segmentOf(region, ref).words, wordOf(region, ref))) return ref;
    }
    return 0;
  }

  /** Where draws find what is others' only: the next entry that may go and comes back, from where the last one was. They come round in turn. */
  #nextOwn(): Ref {
    const { entries, region } = this.#store;
    for (let i = 0; i < entries.count; i++) {
      const ordinal = (this.#ownAt + i) % entries.count;
      const ref = entries.at(ordinal);
      const mayGo = this.mayGo(ref, segmentOf(region, ref).words, wordOf(region, ref));
      if (!mayGo || !this.comesBack(ref)) continue;
      this.#ownAt = ordinal + 1;
      return ref;
    }
    return 0;
  }
}
