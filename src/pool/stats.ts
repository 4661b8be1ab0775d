/** What `stats` tells of a pool. */

import { control } from '../memory/layout.ts';
import type { Region } from '../memory/region.ts';
import { formatVersion } from '../memory/superblock-codec.ts';
import { peek } from '../memory/words.ts';
import { readCell, sumOperations } from '../store/counters.ts';
import type { Store } from '../store/store.ts';
import type { DiskHandle, DiskStats, PoolHandle, PoolStats } from './api.ts';

export function statsOf(store: Store, disk?: DiskStats): PoolStats {
  const at = (name: keyof typeof control): number =>
    peek(store.control, store.controlAt + control[name]);
  return {
    capacityBytes: store.region.superblock.capacityBytes,
    contexts: at('contexts'),
    parts: at('parts'),
    pinnedParts: at('pinnedParts'),
    retiredParts: at('retiredParts'),
    partBytes: partBytesOf(store),
    maxPartBytes: store.maxPartBytes,
    formatVersion,
    ownersAlive: countOwners(store.region),
    segments: store.region.segments.length,
    memory: store.allocator.stats(),
    operations: sumOperations(store.region),
    ...(disk !== undefined && { disk }),
  };
}

/** Without the statistics of the allocator, which look at all memory. */
export function contextCountOf(store: Store): number {
  return peek(store.control, store.controlAt + control.contexts);
}

export function partBytesOf(store: Store): number {
  return readCell(store.control, store.controlAt + control.partBytesLow);
}

/** By which another thread joins. */
export function handleOf(region: Region, disk: DiskHandle | undefined): PoolHandle {
  return { region: region.handle, ...(disk !== undefined && { disk }) };
}

/** What this owner's drafts have reserved. */
export function draftBytesOf({ drafts }: Store): number {
  let sum = 0;
  for (const { reservedBytes } of drafts) sum += reservedBytes;
  return sum;
}

function countOwners(region: Region): number {
  let alive = 0;
  for (let slot = 0; slot < region.superblock.ownersMax; slot++) {
    if (region.ownerLives(slot)) alive++;
  }
  return alive;
}
