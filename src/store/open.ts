/**
 * How a store comes over a region: made anew, taken over from an orderly close, recovered after a crash, or joined. Whoever opens takes the pen
 * first, and then sees who has the store open: of several who come at once one finds nobody, and does what has to be done.
 */

import type { Allocator } from '../alloc/api.ts';
import { createAllocator, openAllocator } from '../alloc/allocator.ts';
import { kinds } from '../alloc/kind.ts';
import { fail, hasCode } from '../errors.ts';
import type { Region } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { field, parked, segmentOf, state, stateMask, wordOf } from './entry.ts';
import { begin } from './epoch.ts';
import { indexEpochOf, readAttempts } from './follower.ts';
import { noteClosed, noteOpened, othersHaveOpened, refuseOthers } from './opened.ts';
import { Pen } from './pen.ts';
import { recoverBeside } from './recover-beside.ts';
import { recoverStore, type RecoveryReport } from './recover.ts';
import { reapOwners } from './reap.ts';
import { RefIndex } from './ref-index.ts';
import { sweepRetired } from './remove.ts';
import type { StoreOptions } from './options.ts';
import { Store } from './store.ts';

const allKinds = 2 ** kinds.length - 1;

export interface OpenedStore {
  readonly store: Store;
  /** False when other owners had it open already. */
  readonly isFirst: boolean;
  /** Present when the last owner did not close the pool. */
  readonly recovery?: RecoveryReport;
}

export interface AllocatorChoices {
  readonly zeroKinds: number;
  readonly lockWaitMs?: number | undefined;
}

/** How an owner opens the store, beside how it allocates. */
export interface OpenChoices extends AllocatorChoices {
  /** Refuses where others have it open. */
  readonly exclusive?: boolean | undefined;
}

/**
 * True when what is in memory is what the last owner left: closed in order, and the machine has not been down since. Closing does not wait
 * for the disk, so after a power loss a pool may look closed and lack what was written before.
 */
export function isComplete(region: Region): boolean {
  return region.superblock.clean && region.superblock.bootId === region.bootId;
}

/** Opens for an owner of the region. @throws pool_busy when another one, who lives, keeps the pen */
export function openStore(
  region: Region,
  choices: OpenChoices,
  options: StoreOptions,
): OpenedStore {
  const pen = new Pen(region, options.lockWaitMs);
  pen.seize();
  try {
    region.refresh();
    if (choices.exclusive === true) refuseOthers(region);
    const opened = openWithPen(region, choices, options, pen);
    const { store } = opened;
    pen.onHandOver = (isBroken) => {
      region.refresh();
      if (isBroken) recoverBeside(store);
      store.follower.catchUp();
    };
    noteOpened(region);
    return opened;
  } finally {
    pen.give();
  }
}

function openWithPen(
  region: Region,
  choices: AllocatorChoices,
  options: StoreOptions,
  pen: Pen,
): OpenedStore {
  if (region.superblock.rootParts === 0) return createStore(region, choices, options, pen);
  const isFirst = !othersHaveOpened(region);
  if (isFirst && (pen.isBroken || !isComplete(region))) {
    return recover(region, choices, options, pen);
  }
  const allocator = openAllocator(region, choices);
  if (region.slotAbandoned) allocator.clearOwner(region.ownerSlot);
  const store = new Store(region, allocator, options, pen);
  if (region.slotAbandoned) store.releaseAll();
  if (pen.isBroken) recoverBeside(store);
  tellBudget(store);
  if (isFirst) {
    begin(store, false);
    reapOwners(store);
    sweepRetired(store);
  }
  return { store, isFirst };
}

/** What died with its owner may be what it meant to wipe: recovery works with an allocator that zeroes whatever it frees. */
function recover(
  region: Region,
  choices: AllocatorChoices,
  options: StoreOptions,
  pen: Pen,
): OpenedStore {
  const zeroing = openAllocator(region, { zeroKinds: allKinds });
  const recovery = recoverStore(region, zeroing, options, pen);
  const store = new Store(region, openAllocator(region, choices), options, pen);
  pen.mended();
  tellBudget(store);
  return { store, isFirst: true, recovery };
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

/** Attaches an inspection, which owns nothing. */
export function attachStore(region: Region, options: StoreOptions): Store {
  if (region.superblock.rootParts === 0) fail('not_a_pool', 'The pool was never finished.');
  // Owners may grow index or entries, and use the memory of the old ones, while they are read here: then they are read again.
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

/** Ends what this owner has in the store; the last one leaves everything in order for the next opening. */
export function closeStore(store: Store): void {
  if (store.closed) return;
  if (store.hasLeases) store.releaseAll();
  if (store.region.ownerSlot >= 0) leave(store);
  store.closed = true;
}

function leave(store: Store): void {
  const { allocator, pen, region } = store;
  for (const draft of store.drafts) draft.abort();
  const hasPen = takesPen(pen);
  try {
    // Nobody else, but for the dead: what they left is cleared, or the pool is not in order.
    const isLast = hasPen && !othersHaveOpened(region);
    if (isLast) reapOwners(store);
    if (hasPen) sweepRetired(store);
    allocator.leave(); // after all that frees: what is freed waits in this owner's cache
    if (isLast) region.commit({ clean: true });
    noteClosed(region);
  } finally {
    if (hasPen) pen.give();
  }
}

/** @returns false when another owner, who lives, keeps it: closing does without */
function takesPen(pen: Pen): boolean {
  try {
    pen.take();
    return true;
  } catch (error) {
    if (hasCode(error, 'pool_busy')) return false;
    throw error;
  }
}

function createStore(
  region: Region,
  choices: AllocatorChoices,
  options: StoreOptions,
  pen: Pen,
): OpenedStore {
  const allocator: Allocator = createAllocator(region, choices);
  const rootParts = RefIndex.createFirst(region, allocator);
  const rootContexts = RefIndex.createFirst(region, allocator);
  const rootTags = RefIndex.createFirst(region, allocator);
  // Not clean from the moment that it is a pool: the allocator's stacks hold blocks that only recovery gives back.
  region.commit({ rootParts, rootContexts, rootTags, clean: false });
  const store = new Store(region, allocator, options, pen);
  begin(store, false);
  pen.mended();
  return { store, isFirst: true };
}
