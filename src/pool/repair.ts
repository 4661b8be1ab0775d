/**
 * Repair: a new pool is made of what is intact in a damaged one, and takes its place; the damaged segments are kept beside it. Parts are told by
 * what is in them, so it does not matter what else is damaged: index, lists, page tables, headers, one superblock or both.
 */

import { systemClock, type Clock } from '../base/clock.ts';
import { fail, hasCode } from '../errors.ts';
import { type DamagedPool, openDamaged, whileAlone } from '../memory/damaged.ts';
import { openMappedRegion } from '../memory/mapped.ts';
import type { Superblock } from '../memory/superblock.ts';
import { checkStore } from '../store/check.ts';
import { closeStore, openStore } from '../store/open.ts';
import { raiseVersions, refill } from '../store/refill.ts';
import {
  partsCounted,
  versionClockOf,
  salvage,
  type Loss,
  type Salvage,
  type Survivor,
} from '../store/salvage.ts';
import type { Audit } from '../store/hooks.ts';
import type { StoreOptions } from '../store/options.ts';
import type { Store } from '../store/store.ts';
import { limitFor } from './capacity.ts';
import { commitRepair, finishRepair, isHalfRepaired, repairFolder } from './repair-files.ts';

export { isHalfRepaired } from './repair-files.ts';
export type { Loss } from '../store/salvage.ts';

export interface RepairReport {
  /** Parts that the repaired pool has. */
  readonly parts: number;
  readonly partBytes: number;
  /** Parts that are lost, and why. */
  readonly dropped: readonly Loss[];
  /** Parts that the pool had counted, and of which not even the name is left. */
  readonly unnamed: number;
  /** Parts that have lost something, but none of their bytes. */
  readonly impaired: readonly Loss[];
  /** What was wrong with the files. */
  readonly findings: readonly string[];
  /** Folder of the damaged segments: to be removed when nobody wants them any more. */
  readonly backup: string;
}

/** Time stands still while parts keep their versions, and nothing expires. */
const stopped: Clock = { nowMs: () => 0 };

const noRoom = 'there is no room for it';

/** @param dropped gets what goes for others */
function storeOptions(dropped: Loss[]): StoreOptions {
  const record: Audit['record'] = (action, id, part, version) => {
    if (action === 'evict') dropped.push({ id, part, version, why: noRoom });
  };
  return {
    clock: stopped,
    seed: 1,
    eviction: 'lru',
    checksums: true,
    hooks: { audit: { record } },
  };
}

/**
 * Finishes a repair that was interrupted after the new segments were complete. @returns the folder of the damaged ones; undefined: there was none
 */
export function resumeRepair(path: string): string | undefined {
  return isHalfRepaired(path) ? whileAlone(path, () => finishRepair(path)) : undefined;
}

/**
 * Repairs the pool in a folder, which nobody may have open. Needs room for a second pool of the same contents.
 * @throws pool_busy; not_a_pool; format_unsupported; memory_unavailable, io_failed; pool_corrupt where no part can be told from noise: nothing
 *   has changed then
 */
export function repairPool(path: string, clock: Clock = systemClock): RepairReport {
  const damaged = openDamaged(path);
  try {
    const { block, found } = bestOf(damaged, clock);
    const making = repairFolder(path);
    const refilled = refillInto(making, block, found);
    commitRepair(path);
    const backup = finishRepair(path);
    const { impaired } = found;
    const told = found.survivors.length + found.dropped.length;
    const unnamed = Math.max(0, partsCounted(damaged.segments[0]) - told);
    return { ...refilled, unnamed, impaired, findings: damaged.findings, backup };
  } finally {
    damaged.close();
  }
}

/** The superblock under which most parts make sense. */
function bestOf(
  { blocks, segments, findings }: DamagedPool,
  clock: Clock,
): { readonly block: Superblock; readonly found: Salvage } {
  const lastVersion = versionClockOf(segments[0], clock.nowMs());
  const [best] = blocks
    .map((block) => ({ block, found: salvage(segments, block, lastVersion) }))
    .sort((a, b) => b.found.survivors.length - a.found.survivors.length);
  const isSound = blocks.length === 1 && !findings.some((text) => text.includes('superblock'));
  if (best === undefined || (!isSound && best.found.survivors.length === 0)) {
    return fail(
      'pool_corrupt',
      `Neither superblock says how parts are told from noise, so nothing was changed: ${findings.join('; ')}.`,
    );
  }
  return best;
}

type Refilled = Pick<RepairReport, 'parts' | 'partBytes' | 'dropped'>;

/** Makes the new pool. @throws pool_corrupt when it is not sound, which nothing explains */
function refillInto(folder: string, block: Superblock, found: Salvage): Refilled {
  const { segmentShift, bootId: _, ...identity } = block;
  const dropped = [...found.dropped];
  const region = openMappedRegion(folder, 'own', { ...identity, segmentBytes: 2 ** segmentShift });
  try {
    const { store } = openStore(region, { zeroKinds: 0 }, storeOptions(dropped));
    store.allocator.setLimitBytes(limitFor(store, block.capacityBytes));
    dropped.push(...refillAll(store, found.survivors));
    raiseVersions(store, found.lastVersion);
    const { errors, parts, partBytes } = checkStore(store);
    if (errors.length > 0) fail('pool_corrupt', `The repaired pool is not sound: ${errors[0]}.`);
    closeStore(store);
    return { parts, partBytes, dropped };
  } finally {
    region.close();
  }
}

/** In the order of their versions, so that those written last count as used last. @returns those for which there is no room */
function refillAll(store: Store, survivors: readonly Survivor[]): Loss[] {
  const dropped: Loss[] = [];
  for (const survivor of survivors.toSorted((a, b) => a.version - b.version)) {
    if (!hasRoomFor(store, survivor)) {
      const { id, part, version } = survivor;
      dropped.push({ id, part, version, why: noRoom });
    }
  }
  return dropped;
}

function hasRoomFor(store: Store, survivor: Survivor): boolean {
  try {
    return refill(store, survivor);
  } catch (error) {
    if (hasCode(error, 'pool_full')) return false;
    throw error;
  }
}
