/** How a store comes over a region: made anew, taken over from an orderly close, or recovered after a crash. */

import { createAllocator, openAllocator } from '../alloc/allocator.ts';
import { kinds } from '../alloc/kind.ts';
import { fail } from '../errors.ts';
import { control } from '../memory/layout.ts';
import type { Region } from '../memory/region.ts';
import { peek, poke } from '../memory/words.ts';
import { field, parked, segmentOf, state, stateMask, wordOf } from './entry.ts';
import { begin } from './epoch.ts';
import { indexEpochOf, readAttempts } from './follower.ts';
import { recoverStore, type RecoveryReport } from './recover.ts';
import { awaitParked } from './parked.ts';
import { reapReaders } from './reap.ts';
import { RefIndex } from './ref-index.ts';
import { awaitLeases, sweepRetired } from './remove.ts';
import type { StoreOptions } from './options.ts';
import { Store } from './store.ts';

const allKinds = 2 ** kinds.length - 1;

export interface OpenedStore {
  readonly store: Store;
  /** Present when the last owner did not close the pool. */
  readonly recovery?: RecoveryReport;
}

export interface AllocatorChoices {
  readonly zeroKinds: number;
}

/**
 * True when what is in memory is what the last owner left: closed in order, and the machine has not been down since. Closing does not wait
 * for the disk, so after a power loss a pool may look closed and lack what was written before.
 */
export function isComplete(region: Region): boolean {
  return region.superblock.clean && region.superblock.bootId === region.bootId;
}

/** Opens for writing: the caller is the region's owner, slot 0. */
export function openStore(
  region: Region,
  choices: AllocatorChoices,
  options: StoreOptions,
): OpenedStore {
  if (region.superblock.rootParts === 0) return { store: createStore(region, choices, options) };
  if (!isComplete(region)) return recover(region, choices, options);
  const store = new Store(region, openAllocator(region, choices), options);
  tellBudget(store);
  gatherRetired(store);
  begin(store, false);
  reapReaders(store);
  sweepRetired(store);
  return { store };
}

/** What died with its owner may be what it meant to wipe: recovery works with an allocator that zeroes whatever it frees. */
function recover(region: Region, choices: AllocatorChoices, options: StoreOptions): OpenedStore {
  const recovery = recoverStore(region, openAllocator(region, { zeroKinds: allKinds }), options);
  const store = new Store(region, openAllocator(region, choices), options);
  tellBudget(store);
  gatherRetired(store);
  return { store, recovery };
}

/** What is held from before, as it will be refunded: before anything of it is. */
function tellBudget(store: Store): void {
  if (store.options.hooks.budget?.opened === undefined) return;
  let heldBytes = 0;
  for (let ordinal = 0; ordinal < store.entries.count; ordinal++) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    const held = peek(words, at + field.state) & stateMask;
    if (held !== state.live && held !== state.retired) continue;
    const blocks = parked(words, at) === 0 ? 1 : 2;
    heldBytes += blocks * peek(words, at + field.blockBytes);
  }
  store.hooks.opened(heldBytes);
}

/** Attaches without owning: a thread that reads, or an inspection. */
export function attachStore(region: Region, options: StoreOptions): Store {
  if (region.superblock.rootParts === 0) fail('not_a_pool', 'The pool was never finished.');
  const store = attach(region, options);
  if (region.slotAbandoned) store.releaseAll();
  return store;
}

/** The writer may grow its index or entries, and use the memory of the old ones, while they are read here: then they are read again. */
function attach(region: Region, options: StoreOptions): Store {
  for (let attempt = 0; ; attempt++) {
    const epoch = indexEpochOf(region);
    region.refresh();
    try {
      const store = new Store(region, openAllocator(region, {}), options);
      if (indexEpochOf(region) === epoch || attempt === readAttempts) return store;
    } catch (error) {
      if (indexEpochOf(region) === epoch || attempt === readAttempts) throw error;
    }
  }
}

/** Leaves everything in order for the next opening. */
export function closeStore(store: Store): void {
  if (store.closed) return;
  if (store.hasLeases) store.releaseAll();
  if (store.region.ownerSlot === 0) {
    for (const draft of store.drafts) draft.abort();
    sweepRetired(store);
    store.allocator.leave();
    store.region.commit({ clean: true });
  }
  store.closed = true;
}

function createStore(region: Region, choices: AllocatorChoices, options: StoreOptions): Store {
  const allocator = createAllocator(region, choices);
  const rootParts = RefIndex.createFirst(region, allocator);
  const rootContexts = RefIndex.createFirst(region, allocator);
  const rootTags = RefIndex.createFirst(region, allocator);
  // Not clean from the moment that it is a pool: the allocator's stacks hold blocks that only recovery gives back.
  region.commit({ rootParts, rootContexts, rootTags, clean: false });
  const store = new Store(region, allocator, options);
  begin(store, false);
  return store;
}

/** Parts that were retired or replaced and still leased by another thread when the last owner closed or died. */
function gatherRetired(store: Store): void {
  const waiting = [control.retiredParts, control.parkedParts].map((word) => store.controlAt + word);
  if (waiting.every((word) => peek(store.control, word) === 0)) return;
  for (const word of waiting) poke(store.control, word, 0);
  for (let ordinal = 0; ordinal < store.entries.count; ordinal++) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    const held = peek(words, at + field.state) & stateMask;
    if (held === state.retired) awaitLeases(store, ref);
    if (held !== state.free && parked(words, at) !== 0) awaitParked(store, ref);
  }
}
