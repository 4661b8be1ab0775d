/**
 * Recovery after a holder of the pen died, while other owners live on: the work of recover.ts, under their eyes.
 *
 * 1. The dead are reaped: their leases end, what they had not published is freed. The living keep leases, drafts, and what they are about
 *    to publish: only who holds the pen marks memory as kept.
 * 2. New tables are filled from the live entries, beside the old ones, in which readers find parts all the while: what the dead was at is one
 *    step of a change, as between any two of a living writer. Lists (contexts, tags) are made anew in place: who looks at those waits.
 * 3. The new tables take over by one commit. Only then the rest goes: entries with a successor, and kept memory that nothing reaches.
 *
 * Where there is no memory for new tables, or one was being rebuilt, it is done in place, under an odd epoch for which readers wait. The pool
 * stays marked as broken until all is done: should the heir die too, or a stopped owner's lock be in the way, the next one begins again.
 */

import { metadataKind } from '../alloc/kind.ts';
import { control } from '../memory/layout.ts';
import { add, load } from '../memory/words.ts';
import { indexEpochOf } from './follower.ts';
import { emptyTables, finishIntents, reachable, rebuild, settleSuperseded } from './recover.ts';
import { reapOwners } from './reap.ts';
import { RefIndex, type TablesAside } from './ref-index.ts';
import { Store } from './store.ts';

/** By who holds the pen. @throws pool_busy, pool_corrupt: the pool stays broken */
export function recoverBeside(store: Store): void {
  const { region, allocator, options, pen } = store;
  region.commit({}); // whoever died over a superblock has left two that differ: the newer one counts
  reapOwners(store);
  const aside = tablesAside(store);
  if (aside === undefined) {
    if ((indexEpochOf(region) & 1) === 0) add(store.control, epochWordOf(store), 1);
    emptyTables(region, allocator);
  }
  const { budget: _, ...hooks } = options.hooks;
  const rebuilt = new Store(region, allocator, { ...options, hooks }, pen, aside);
  rebuilt.lowerTier = store.lowerTier; // a deletion that is completed reaches what is below memory, too
  const { superseded } = rebuild(rebuilt);
  takeOver(rebuilt, aside);
  settleSuperseded(rebuilt, superseded);
  finishIntents(rebuilt);
  allocator.sweepKept(reachable(rebuilt));
  pen.mended();
}

/** Lets the tables be the roots, and everybody verify what was written before. */
function takeOver(store: Store, aside: TablesAside | undefined): void {
  const { region } = store;
  const epoch = region.superblock.epoch + 1;
  const roots = aside && {
    rootParts: aside.parts,
    rootPartsOld: 0,
    rootContexts: aside.contexts,
    rootContextsOld: 0,
    rootTags: aside.tags,
    rootTagsOld: 0,
  };
  region.commit({ ...roots, epoch, trustedEpoch: epoch, bootId: region.bootId, clean: false });
  const epochAt = epochWordOf(store);
  add(store.control, epochAt, (load(store.control, epochAt) & 1) === 0 ? 2 : 1);
}

function epochWordOf(store: Store): number {
  return store.controlAt + control.indexEpoch;
}

/** New tables, as large as those that they replace; undefined when there is no memory, or readers wait for a table anyway. */
function tablesAside(store: Store): TablesAside | undefined {
  const { region, allocator } = store;
  if ((indexEpochOf(region) & 1) !== 0) return undefined;
  store.follower.catchUp();
  const made: number[] = [];
  for (const index of [store.parts, store.contexts, store.tags]) {
    const free = (sizeBytes: number): number => allocator.allocate(metadataKind, sizeBytes);
    const ref = RefIndex.create(region, allocator, free, index.current.log2);
    if (ref === 0) break;
    made.push(ref);
  }
  const [parts, contexts, tags] = made;
  if (parts !== undefined && contexts !== undefined && tags !== undefined) {
    return { parts, contexts, tags };
  }
  for (const ref of made) allocator.free(ref, metadataKind);
  return undefined;
}
