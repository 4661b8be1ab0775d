/** A RefTable that grows online: while a growth is under way, `old` holds what has not moved yet. */

import { metadataKind } from '../alloc/kind.ts';
import type { Allocator } from '../alloc/api.ts';
import { fail, hasCode } from '../errors.ts';
import type { Ref, Region } from '../memory/region.ts';
import { largestTableLog2, smallestTableLog2, Table, tableBytes } from './ref-table.ts';

/** Slots of the old table moved by each change while a growth is under way. */
const migrateSlots = 32;

/** A growth that found no memory is tried again after as many looks as 1/64 of the slots. */
const patienceShare = 64;

/** Tables that are not the roots of the pool yet. */
export interface TablesAside {
  readonly parts: Ref;
  readonly contexts: Ref;
  readonly tags: Ref;
}

/** Says to all others that their tables are out of date (Follower.announce). */
export type Announce = (by?: number) => void;

/** Metadata memory, evicting parts when that makes room; 0 when nothing may go. */
export type AllocateMetadata = (sizeBytes: number) => Ref;

type RootName = 'rootParts' | 'rootContexts' | 'rootTags';

export class RefIndex {
  current: Table;
  old: Table | undefined;
  readonly #region: Region;
  readonly #allocator: Allocator;
  readonly #allocate: AllocateMetadata;
  readonly #root: RootName;
  readonly #allocateFree: AllocateMetadata;
  readonly #announce: Announce;
  /** Looks to go until a growth that found no memory is tried again. */
  #patience = 0;

  private constructor(
    region: Region,
    allocator: Allocator,
    root: RootName,
    allocate: AllocateMetadata,
    announce: Announce,
    aside?: Ref,
  ) {
    this.#region = region;
    this.#allocator = allocator;
    this.#allocate = allocate;
    this.#announce = announce;
    this.#allocateFree = (sizeBytes) => allocator.allocate(metadataKind, sizeBytes);
    this.#root = root;
    this.current = new Table(region, aside ?? region.superblock[root]);
    const old = aside === undefined ? region.superblock[`${root}Old`] : 0;
    this.old = old === 0 ? undefined : new Table(region, old);
  }

  /** A new, empty table; the caller commits its reference as a root. 0 when memory is exhausted. */
  static create(
    region: Region,
    allocator: Allocator,
    allocate: AllocateMetadata,
    log2: number = smallestTableLog2,
  ): Ref {
    const ref = allocate(tableBytes(log2));
    if (ref === 0) return 0;
    Table.format(region, ref, log2);
    allocator.retain(ref); // joined readers look into it first, and then whether it still is a table
    allocator.keep(ref);
    return ref;
  }

  /** The table that a pool begins with. @throws pool_corrupt when there is no memory even for that */
  static createFirst(region: Region, allocator: Allocator): Ref {
    const ref = RefIndex.create(region, allocator, (sizeBytes) =>
      allocator.allocate(metadataKind, sizeBytes),
    );
    if (ref === 0) fail('pool_corrupt', 'There is no memory for the tables of the index.');
    return ref;
  }

  /** What opens the index of a root, or one over a table `aside` that is not a root yet. */
  static opener(
    region: Region,
    allocator: Allocator,
    allocate: AllocateMetadata,
    announce: Announce,
  ): (root: RootName, aside?: Ref) => RefIndex {
    return (root, aside) => new RefIndex(region, allocator, root, allocate, announce, aside);
  }

  /** Re-reads the roots, after somebody else has grown the index. A table at the same place may be another. */
  refresh(): void {
    const { superblock } = this.#region;
    this.current = new Table(this.#region, superblock[this.#root]);
    const old = superblock[`${this.#root}Old`];
    this.old = old === 0 ? undefined : new Table(this.#region, old);
  }

  get live(): number {
    return this.current.live + (this.old?.live ?? 0);
  }

  /** Blocks that belong to the index. */
  get blocks(): Ref[] {
    return this.old === undefined ? [this.current.ref] : [this.current.ref, this.old.ref];
  }

  /**
   * Makes sure that `count` more inserts fit, starting or finishing a growth when due.
   * @returns false when the table is full and there is no memory for a larger one: removing something helps
   * @throws pool_busy: nothing has changed
   */
  reserve(count: number): boolean {
    if (!this.current.wantsGrowth(count)) return true;
    if (this.old !== undefined) this.#migrate(this.old.mask + 1);
    if (this.current.wantsGrowth(count)) this.#grow(count);
    if (this.current.isWorn(count)) this.#rebuild();
    return !this.current.isFull(count);
  }

  insert(tag: number, ref: Ref): void {
    this.current.insert(tag, ref);
    this.#migrateSome();
  }

  /** The first reference with that tag that `matches`, or 0. Old before current: a slot on the move is never missed. */
  find(tag: number, matches: (ref: Ref) => boolean): Ref {
    for (const table of [this.old, this.current]) {
      if (table === undefined) continue;
      let slot = table.seek(tag, table.home(tag));
      for (let i = table.mask; slot >= 0 && i >= 0; i--) {
        const ref = table.refAt(slot);
        if (ref > 0 && matches(ref)) return ref;
        // A reader may have met what the writer was about to replace.
        if (table.refAt(slot) === ref) slot = table.seek(tag, slot + 1);
      }
    }
    return 0;
  }

  /** Old before current: what is on the move is never missed. */
  get tables(): Table[] {
    return this.old === undefined ? [this.current] : [this.old, this.current];
  }

  /** Every reference in the index. */
  *refs(): Generator<Ref> {
    for (const table of this.tables) {
      for (let slot = 0; slot <= table.mask; slot++) {
        const ref = table.refAt(slot);
        if (ref > 0) yield ref;
      }
    }
  }

  /** Puts `to` where `from` is. @returns false when `from` is not in the index */
  replace(tag: number, from: Ref, to: Ref): boolean {
    return replaceIn(this.current, tag, from, to) || replaceIn(this.old, tag, from, to);
  }

  /** @returns false when it is not in the index */
  remove(tag: number, ref: Ref): boolean {
    if (!removeFrom(this.current, tag, ref) && !removeFrom(this.old, tag, ref)) return false;
    this.#migrateSome();
    return true;
  }

  /** Starts a growth when there is memory for it; only a full table evicts parts for it. */
  #grow(count: number): void {
    if (this.#patience > 0) {
      this.#patience--;
      return;
    }
    const { current } = this;
    const crowded = current.live * 2 >= current.mask + 1;
    const log2 = current.log2 + (crowded ? 1 : 0);
    if (log2 > largestTableLog2 || tableBytes(log2) > this.#allocator.maxAllocationBytes) return;
    const allocate = current.isFull(count) ? this.#allocate : this.#allocateFree;
    const ref = RefIndex.create(this.#region, this.#allocator, allocate, log2);
    if (ref === 0) {
      this.#patience = (current.mask + 1) / patienceShare;
      return;
    }
    try {
      this.#commit({ [this.#root]: ref, [`${this.#root}Old`]: current.ref });
    } catch (error) {
      this.#free(ref);
      throw error;
    }
    this.old = current;
    this.current = new Table(this.#region, ref);
  }

  /** Clears tombstones in place, where there is no memory for another table. Readers see an odd epoch and wait. */
  #rebuild(): void {
    this.#announce(1);
    this.current.rebuild();
    this.#announce(1);
  }

  /** In the middle of a change that cannot be undone any more: where another owner is changing the region, the empty table goes another time. */
  #migrateSome(): void {
    try {
      this.#migrate(migrateSlots);
    } catch (error) {
      if (!hasCode(error, 'pool_busy')) throw error;
    }
  }

  /** @throws pool_busy when the last slot has moved, and another owner is changing the region */
  #migrate(slots: number): void {
    const { old, current } = this;
    if (old === undefined) return;
    const from = old.cursor;
    const end = Math.min(from + slots, old.mask + 1);
    for (let slot = from; slot < end; slot++) {
      const ref = old.refAt(slot);
      if (ref <= 0) continue;
      current.insert(old.tagAt(slot), ref);
      old.removeAt(slot);
    }
    old.cursor = end;
    if (end <= old.mask) return;
    this.#commit({ [`${this.#root}Old`]: 0 });
    this.old = undefined;
    this.#free(old.ref);
  }

  /** Kept until then: who recovers the owner that made it leaves it to us. */
  #free(ref: Ref): void {
    this.#allocator.free(ref, metadataKind);
  }

  #commit(roots: Record<string, Ref>): void {
    this.#region.commit(roots);
    this.#announce();
  }
}

function replaceIn(table: Table | undefined, tag: number, from: Ref, to: Ref): boolean {
  if (table === undefined) return false;
  const slot = table.slotOf(tag, from);
  if (slot < 0) return false;
  table.replace(slot, to);
  return true;
}

function removeFrom(table: Table | undefined, tag: number, ref: Ref): boolean {
  if (table === undefined) return false;
  const slot = table.slotOf(tag, ref);
  if (slot < 0) return false;
  table.removeAt(slot);
  return true;
}
