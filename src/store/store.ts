/**
 * The store: where a part is found, leased and given back. Changes live beside it (publish, append, remove, room); here is what they share.
 *
 * Any owner writes, with the pen in its hand (pen.ts). A reader takes no lock: it finds an entry, sets its lease bit, and looks again
 * whether the entry is still the same life; a writer retires an entry first and looks at the lease bits after that. Both orders are
 * sequentially consistent, so one of the two sees the other.
 */

import type { Allocator } from '../alloc/api.ts';
import { Random } from '../base/random.ts';
import { fail } from '../errors.ts';
import { controlByte } from '../memory/layout.ts';
import { granuleShift, type Ref, type Region, type Segment } from '../memory/region.ts';
import { load, loadInOrder, peek, poke, type Words } from '../memory/words.ts';
import { AccessClock } from './access-clock.ts';
import { bump, counter, countersOf } from './counters.ts';
import { viewOf } from './element.ts';
import { Entries } from './entries.ts';
import {
  commitStride,
  expiresAtMs,
  field,
  segmentOf,
  state,
  stateMask,
  trait,
  versionOf,
  wordOf,
} from './entry.ts';
import { Evictor } from './evictor.ts';
import { Room } from './room.ts';
import { Follower, readAttempts } from './follower.ts';
import { GuardedHooks } from './guarded-hooks.ts';
import type { Audit, LowerTier } from './hooks.ts';
import { Key } from './keys.ts';
import { LeaseView } from './lease.ts';
import { Leases } from './leases.ts';
import { isIntact } from './payload.ts';
import { contextMatcher } from './context-chain.ts';
import { partMaxBytes, type StoreOptions } from './options.ts';
import { Pen } from './pen.ts';
import { endLeases } from './reap.ts';
import { RefIndex, type TablesAside } from './ref-index.ts';
import type { Table } from './ref-table.ts';
import { releaseRetired, removeExpired } from './remove.ts';
import { WaitingList } from './waiting.ts';

/** Entries with one tag that a probe looks at: more are only found where a reader's table has become something else. */
const sameTagMax = 1024;

/** An owner that only reads answers others, who ask for memory, at each get of so many. A power of two. */
const getsPerNotice = 64;

export class Store {
  readonly region: Region;
  readonly allocator: Allocator;
  readonly options: StoreOptions;
  readonly hooks: GuardedHooks;
  readonly key: Key;
  readonly entries: Entries;
  readonly parts: RefIndex;
  readonly contexts: RefIndex;
  readonly tags: RefIndex;
  readonly evictor: Evictor;
  readonly room: Room;
  readonly accessClock: AccessClock;
  readonly pen: Pen;
  readonly follower: Follower;
  readonly isOfContext: (ref: Ref) => boolean = contextMatcher(this);
  readonly random: Random;
  /** Words of segment 0: control words and counters. */
  readonly control: Words;
  readonly controlAt: number = controlByte >>> 2;
  readonly countersAt: number;
  /** Entries that were retired while they were leased. */
  readonly retired: WaitingList;
  /** Entries with bytes that were replaced while they were leased. */
  readonly parked: WaitingList;
  /** Drafts that are neither committed nor aborted: closing aborts them. */
  readonly drafts: Set<{ readonly reservedBytes: number; abort(): void }> = new Set();
  /** Spared by eviction: the part that the running operation changes. */
  protectedEntry: Ref = 0;
  closed = false;
  /** Where parts go that leave memory. */
  lowerTier: LowerTier | undefined;
  /** Parts that are written carry it. */
  epoch: number;
  readonly maxPartBytes: number;

  readonly #segments: readonly Segment[];
  readonly #refShift: number;
  readonly #refMask: number;
  readonly leases: Leases;
  /** The committed slot that was read last. */
  #payload: Ref = 0;
  #sizeBytes = 0;
  /** State word of the entry that `find` matched. */
  #matchedState = 0;
  readonly #audit: Audit | undefined;
  #gets = 0;
  #trustedEpoch: number;

  /** @param aside in place of the tables of the index, for who rebuilds them */
  constructor(
    region: Region,
    allocator: Allocator,
    options: StoreOptions,
    pen: Pen = new Pen(region, options.lockWaitMs),
    aside?: TablesAside,
  ) {
    this.region = region;
    this.allocator = allocator;
    this.options = options;
    this.hooks = new GuardedHooks(options.hooks);
    const { hashSeedLow, hashSeedHigh, epoch, trustedEpoch } = region.superblock;
    this.key = new Key(hashSeedLow, hashSeedHigh);
    this.random = new Random(options.seed);
    this.control = (region.segments[0] as Segment).words;
    const slot = Math.max(region.ownerSlot, 0);
    this.countersAt = countersOf(slot);
    this.#segments = region.segments;
    this.#refShift = region.segmentShift - granuleShift;
    this.#refMask = (1 << this.#refShift) - 1;
    this.leases = new Leases(slot, () => {
      this.follower.catchUp();
      return this.entries.count;
    });
    this.#audit = options.hooks.audit;
    this.epoch = epoch;
    this.#trustedEpoch = trustedEpoch;
    this.accessClock = new AccessClock(region);
    this.retired = WaitingList.ofRetired(region);
    this.parked = WaitingList.ofParked(region);
    this.pen = pen;
    this.follower = new Follower(region, pen);
    this.evictor = new Evictor(this);
    this.room = new Room(this);
    const { announce } = this.follower;
    this.entries = new Entries(region, allocator, this.room.allocateFreeMetadata, announce);
    const open = RefIndex.opener(region, allocator, this.room.allocateMetadata, announce);
    this.parts = open('rootParts', aside?.parts);
    this.contexts = open('rootContexts', aside?.contexts);
    this.tags = open('rootTags', aside?.tags);
    const refresh = (): void => this.takeEpoch();
    this.follower.follow(this.parts, this.contexts, this.tags, this.entries, { refresh });
    this.maxPartBytes = Math.min(partMaxBytes, allocator.maxAllocationBytes);
  }

  /** Parts written from now on carry the epoch; those older than the trusted one are verified at their next get. */
  takeEpoch(): void {
    const { epoch, trustedEpoch } = this.region.superblock;
    this.epoch = epoch;
    this.#trustedEpoch = trustedEpoch;
  }

  /** True when what is looked at now cannot change under the look. */
  get isStill(): boolean {
    return this.pen.isHeld || this.follower.isStill;
  }

  /** The live entry of `this.key`, or 0. */
  find(): Ref {
    const { old, current } = this.parts;
    const ref = old === undefined ? 0 : this.#findIn(old);
    return ref === 0 ? this.#findIn(current) : ref;
  }

  /** A lease on a hot part, or undefined. @throws part_corrupt */
  get(id: string, part: string): LeaseView | undefined {
    this.key.set(id, part);
    for (let attempt = 0; attempt < readAttempts; attempt++) {
      const ref = this.find();
      if (ref === 0 && this.follower.catchUp()) continue;
      const lease = ref === 0 ? undefined : this.#acquire(ref);
      if (lease === 'changed') continue;
      if (lease === undefined) {
        bump(this.control, this.countersAt + counter.misses, 1);
        return undefined;
      }
      bump(this.control, this.countersAt + counter.hits, 1);
      bump(this.control, this.countersAt + counter.bytesRead, lease.sizeBytes);
      if (this.#audit !== undefined) this.hooks.record('get', id, part, lease.version);
      this.#gets = (this.#gets + 1) & (getsPerNotice - 1);
      if (this.#gets === 0) this.allocator.notice();
      return lease;
    }
    return fail(
      'pool_busy',
      `Part ${JSON.stringify(part)} changed at each of ${readAttempts} looks.`,
    );
  }

  /** Gives back one lease of this thread on an entry. */
  drop(ref: Ref): void {
    if (this.closed) return;
    const { words } = this.#segments[ref >>> this.#refShift] as Segment;
    const at = (ref & this.#refMask) << 4;
    if (!this.leases.drop(words, at)) return;
    const life = peek(words, at + field.state);
    if ((life & stateMask) === state.retired) releaseRetired(this, ref, words, at, life);
  }

  isLeased(words: Words, at: number): boolean {
    return load(words, at + field.leases) !== 0 || load(words, at + field.leases + 1) !== 0;
  }

  /** Marks an entry as just used. */
  touch(words: Words, at: number): void {
    poke(words, at + field.lastAccess, this.accessClock.next());
    poke(words, at + field.uses, (peek(words, at + field.uses) + 1) & 0x7fffffff);
  }

  isExpired(words: Words, at: number): boolean {
    if ((peek(words, at + field.traits) & trait.expiring) === 0) return false;
    return expiresAtMs(words, at) <= this.options.clock.nowMs();
  }

  /** The live, unexpired entry of `this.key`, or 0. An expired one is removed on the way. */
  findFresh(): Ref {
    const ref = this.find();
    if (ref === 0) return 0;
    const { words } = segmentOf(this.region, ref);
    const at = wordOf(this.region, ref);
    if (!this.isExpired(words, at)) return ref;
    removeExpired(this, ref, words, at, this.#matchedState);
    return 0;
  }

  /** Ends every lease of this thread, those of a dead predecessor in its owner slot included. */
  releaseAll(): void {
    this.leases.clear();
    endLeases(this, Math.max(this.region.ownerSlot, 0));
  }

  get hasLeases(): boolean {
    return this.leases.any;
  }

  #findIn(table: Table): Ref {
    const tag = this.key.low;
    let slot = table.seek(tag, table.home(tag));
    for (let i = 0; slot >= 0 && i < sameTagMax; i++) {
      const ref = table.refAt(slot);
      if (ref > 0 && this.isOfKey(ref)) return ref;
      if (table.refAt(slot) === ref) slot = table.seek(tag, slot + 1); // else another was put there
    }
    return 0;
  }

  /** True for the live entry of `this.key`. */
  isOfKey(ref: Ref): boolean {
    const segment = this.segmentAt(ref);
    if (segment === undefined) return false;
    const { words } = segment;
    const at = (ref & this.#refMask) << 4;
    const stateWord = peek(words, at + field.state);
    if ((stateWord & stateMask) !== state.live) return false;
    if (peek(words, at + field.hashHigh) !== this.key.high) return false;
    this.#matchedState = stateWord;
    const keyRef = peek(words, at + field.keyRef);
    if (keyRef === 0) return this.key.equals(words, at + field.key);
    const keySegment = this.segmentAt(keyRef);
    if (keySegment === undefined) return false;
    return this.key.equals(keySegment.words, (keyRef & this.#refMask) << 4);
  }

  #acquire(ref: Ref): LeaseView | 'changed' | undefined {
    const { words } = this.#segments[ref >>> this.#refShift] as Segment;
    const at = (ref & this.#refMask) << 4;
    this.leases.take(words, at);
    // After the atomic `or`, which no load crosses. What is behind may be the segment of the bytes: dropped, and made anew.
    if (peek(words, at + field.state) !== this.#matchedState || this.follower.isBehind()) {
      this.drop(ref);
      this.follower.catchUp();
      return 'changed';
    }
    if (this.isExpired(words, at)) {
      const life = this.#matchedState;
      this.drop(ref);
      removeExpired(this, ref, words, at, life);
      return undefined;
    }
    const selector = this.#committedSelector(words, at);
    const payload = this.#payload;
    const sizeBytes = this.#sizeBytes;
    const traits = peek(words, at + field.traits);
    const segment = this.#segments[payload >>> this.#refShift] ?? this.#addedFor(ref, payload);
    if (segment === undefined) return this.#rejectPayload(ref, sizeBytes);
    const byte = (payload & this.#refMask) << granuleShift;
    if (sizeBytes >>> 0 > segment.sizeBytes - byte) this.#rejectPayload(ref, sizeBytes);
    if (((peek(words, at + field.checkedEpoch) - this.#trustedEpoch) | 0) < 0) {
      const bytes = segment.bytes.subarray(byte, byte + sizeBytes);
      if (!this.#verify(ref, words, at, selector, bytes)) return 'changed';
    }
    this.touch(words, at);
    const code = (traits >>> trait.elementShift) & trait.elementMask;
    const view = viewOf(code, segment.buffer, segment.firstByte + byte, sizeBytes);
    return new LeaseView(this, ref, words, at, selector, sizeBytes, view);
  }

  /** Reads the committed slot into #payload and #sizeBytes. @returns the selector it belongs to */
  #committedSelector(words: Words, at: number): number {
    // Another owner may append meanwhile, and reuse the slot with its second append: loads in order, until the selector stands.
    for (;;) {
      const selector = loadInOrder(words, at + field.selector);
      const slot = at + field.commit + (selector & 1) * commitStride;
      this.#payload = loadInOrder(words, slot);
      this.#sizeBytes = loadInOrder(words, slot + 1);
      if (loadInOrder(words, at + field.selector) === selector) return selector;
    }
  }

  /** The segment of a reference; takes in segments that others have added since. */
  segmentAt(ref: Ref): Segment | undefined {
    const number = ref >>> this.#refShift;
    const segment = this.#segments[number];
    if (segment !== undefined) return segment;
    this.region.refresh();
    return this.#segments[number];
  }

  /** The segment of bytes beyond those that this owner knows of. @throws io_failed when it cannot be mapped: the lease has ended */
  #addedFor(ref: Ref, payload: Ref): Segment | undefined {
    try {
      return this.segmentAt(payload);
    } catch (error) {
      this.drop(ref);
      throw error;
    }
  }

  #rejectPayload(ref: Ref, sizeBytes: number): never {
    this.drop(ref);
    return fail('pool_corrupt', `Entry ${ref} claims ${sizeBytes} bytes outside of every segment.`);
  }

  /**
   * First get after a crash: the bytes must be those that were written.
   * @returns false when another owner has appended meanwhile: the checksum may be that of more bytes @throws part_corrupt
   */
  #verify(ref: Ref, words: Words, at: number, selector: number, bytes: Uint8Array): boolean {
    const intact = isIntact(words, at, bytes);
    const isSame = load(words, at + field.selector) === selector;
    if (isSame && intact) poke(words, at + field.checkedEpoch, this.epoch);
    else this.drop(ref);
    if (!isSame || intact) return isSame;
    bump(this.control, this.countersAt + counter.corruptParts, 1);
    return fail('part_corrupt', `Version ${versionOf(words, at)} does not match its checksum.`);
  }
}
