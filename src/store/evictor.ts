/**
 * Which part goes next.
 *
 * Sampling follows Redis: some entries at random, the best candidates kept between rounds, the oldest of them goes; how old each is, the ranking of
 * the pool's policy says. With 16 draws and 32 kept candidates the hit ratio of `lru` is that of exact LRU within measurement (traces.test.ts).
 */

import { classBytesMax, usableBytes } from '../alloc/classes.ts';
import { metadataKind, type Kind } from '../alloc/kind.ts';
import { type EntryFacts, type EntryRanking, makeEntryRanking } from '../evict/entries.ts';
import type { Ref } from '../memory/region.ts';
import { peek, type Words } from '../memory/words.ts';
import { Candidates } from './candidates.ts';
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
import { retire } from './remove.ts';
import type { Store } from './store.ts';

/** Entries drawn per eviction. */
const draws = 16;
/** So many of them are neighbours, which cost one page's way to memory. */
const drawnTogether = 4;
/** Draws that may hit free slots before a draw gives up and scans. */
const emptyDraws = 256;
/** Entries drawn for one part of a certain length, and how many of these are enough to choose from. */
const fittingDraws = 4096;
const fittingEnough = 4;
/** Who is younger than this part of the oldest is not evicted for its length: parts of a new length would go for each other. */
const fittingAgeShare = 0.25;
/** Candidates that are passed over, as their memory is another owner's, before parts are looked through one after the other. */
const foreignMax = 8;
/** Entries of a store whose ages are learned in single accesses; of more, several accesses count as one. */
const entriesPerTick = 2 ** 16;
const typicalPartBytes: number = 2 ** 14;

export class Evictor {
  readonly #store: Store;
  readonly #candidates = new Candidates();
  /** How long what `evictOwn` evicted last had not been used. */
  #coldestTicks = 0;
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

  constructor(store: Store) {
    this.#store = store;
    const entries = store.region.superblock.capacityBytes / typicalPartBytes;
    const ticksShift = Math.max(0, Math.floor(Math.log2(entries / entriesPerTick)));
    this.#ranking = makeEntryRanking(store.options.eviction, ticksShift);
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
      if (this.comesBack(ref)) return this.#evictColdest(ref);
      if (foreign === 0) this.#store.allocator.askToShare();
    }
    return this.#evictColdest(this.#nextOwn());
  }

  /**
   * Evicts the least recently used of some whose memory would do for such a request, and comes back to this owner: where the oldest of all are of other lengths, what they
   * leave is of no use to it. @returns false where none was found
   */
  evictFitting(kind: Kind, sizeBytes: number): boolean {
    const { entries, region } = this.#store;
    if (kind === metadataKind || entries.count === 0) return false;
    const isRun = sizeBytes > classBytesMax;
    const leastBytes = usableBytes(sizeBytes);
    const mostBytes = isRun ? 2 * leastBytes : leastBytes;
    const most = Math.min(fittingDraws, 2 * entries.count);
    let [oldest, mostTicks, fitting, ordinal] = [0, -1, 0, 0];
    for (let drawn = 0; drawn < most && fitting < fittingEnough; drawn++) {
      ordinal = this.#drawAfter(ordinal, drawn);
      const ref = entries.at(ordinal);
      const { words } = segmentOf(region, ref);
      const at = wordOf(region, ref);
      const blockBytes = peek(words, at + field.blockBytes);
      if (blockBytes < leastBytes || blockBytes > mostBytes) continue;
      // Slabs are of one kind, runs of any.
      if (!isRun && (peek(words, at + field.traits) & trait.kindMask) !== kind) continue;
      if (!this.mayGo(ref, words, at) || !this.comesBack(ref)) continue;
      fitting++;
      const ticks = this.#ticksSince(ref);
      if (ticks > mostTicks) [oldest, mostTicks] = [ref, ticks];
    }
    return mostTicks < this.#coldestTicks * fittingAgeShare ? false : this.#evict(oldest);
  }

  /** Whether what a part frees is memory for this owner. */
  comesBack(ref: Ref): boolean {
    const { words } = segmentOf(this.#store.region, ref);
    const at = wordOf(this.#store.region, ref);
    const block = peek(words, committed(words, at) + commitSlot.ref);
    return block === 0 || !this.#store.allocator.isOthers(block);
  }

  #evictColdest(ref: Ref): boolean {
    if (ref !== 0) this.#coldestTicks = this.#ticksSince(ref);
    return this.#evict(ref);
  }

  #ticksSince(ref: Ref): number {
    const { accessClock, region } = this.#store;
    const { words } = segmentOf(region, ref);
    return accessClock.since(peek(words, wordOf(region, ref) + field.lastAccess));
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

  #draw(): void {
    const { accessClock, entries, region } = this.#store;
    if (entries.count === 0) return;
    let misses = 0;
    let ordinal = 0;
    for (let i = 0; i < draws && misses < emptyDraws;) {
      ordinal = this.#drawAfter(ordinal, i + misses);
      const ref = entries.at(ordinal);
      const { words } = segmentOf(region, ref);
      const at = wordOf(region, ref);
      if (this.mayGo(ref, words, at)) {
        this.#candidates.consider(ref, words, at, this.age(words, at), accessClock.now);
        i++;
      } else {
        misses++;
      }
    }
  }

  /** The number of an entry: a neighbour of the last one, or any. */
  #drawAfter(ordinal: number, drawn: number): number {
    const { entries, random } = this.#store;
    const isNear = drawn % drawnTogether > 0 && ordinal + 1 < entries.count;
    return isNear ? ordinal + 1 : random.below(entries.count);
  }

  /** The oldest candidate that may go, or 0. */
  #takeOldest(): Ref {
    const { region } = this.#store;
    for (;;) {
      const ref = this.#candidates.pop(region);
      if (ref === 0 || this.mayGo(ref, segmentOf(region, ref).words, wordOf(region, ref)))
        return ref;
    }
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
