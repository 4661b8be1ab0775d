/** What is on the disk and not in memory: told of, deleted, and removed when its time is over. */

import { partOf } from '../store/contexts.ts';
import { withPen } from '../store/pen.ts';
import { partNamed } from '../store/stable.ts';
import { contextPrefix, namesOfKey, partKey, prefixEnd, tagPrefix } from './disk-key.ts';
import type { DiskTier } from './disk-tier.ts';

/** Records that a sweep looks at: it reads them from the disk, and its caller waits. */
const looksMax = 64;

/** Names of the parts of a context that are on the disk and not in memory. */
export function coldParts(tier: DiskTier, id: string): string[] {
  const names = keysWith(tier, id).map((key) => namesOfKey(key).part);
  return names.filter(
    (part) => partNamed(tier.store, id, part) === 0 && tier.versionOf(partKey(id, part)) > 0,
  );
}

/** Deletes what the disk has of a part, or of a context. By who holds the pen. @returns how many parts */
export function deleteCold(tier: DiskTier, id: string, part: string | undefined): number {
  return doomAll(tier, part === undefined ? keysWith(tier, id) : [partKey(id, part)]);
}

/** Deletes every record that carries the tag. By who holds the pen. @returns how many */
export function invalidateCold(tier: DiskTier, tag: string): number {
  tier.disk.refresh();
  const start = tagPrefix(tag);
  const keys = [...tier.disk.tags.getKeys({ start, end: prefixEnd(start) })];
  const named = keys.map((key) => Uint8Array.from(key.subarray(start.length)));
  return doomAll(tier, named);
}

/** Removes records whose time is over, a few at a time, round and round: nobody else meets those of parts that are asked for no more. */
export class ColdSweep {
  readonly #tier: DiskTier;
  /** Where the next look begins; undefined: with the first record. */
  #next: Uint8Array | undefined;

  constructor(tier: DiskTier) {
    this.#tier = tier;
  }

  /** Looks at `limit` records at most. @returns how many went @throws pool_busy */
  sweep(limit: number): number {
    const tier = this.#tier;
    const looks = Math.min(limit, looksMax);
    tier.disk.refresh();
    const start = this.#next;
    const found = tier.disk.parts.getKeys({ ...(start && { start }), limit: looks + 1 });
    const keys = Array.from(found, (key) => Uint8Array.from(key));
    this.#next = keys[looks];
    // The pen is held for those only that are to go: the others may have to come from the disk.
    const over = keys.slice(0, looks).filter((key) => tier.isOver(key));
    return over.length === 0 ? 0 : withPen(tier.store, () => doomOver(tier, over));
  }
}

function doomOver(tier: DiskTier, keys: readonly Uint8Array[]): number {
  // It may have been written anew by another owner since, and have left memory again.
  tier.disk.refresh();
  let count = 0;
  for (const key of keys) {
    if (isInMemory(tier, key) || !tier.isOver(key)) continue;
    const version = tier.disk.versionAt(key);
    if (tier.doomed.has(key, version)) continue;
    tier.doomed.add(key, version);
    count++;
  }
  return count;
}

function keysWith(tier: DiskTier, id: string): Uint8Array[] {
  tier.disk.refresh();
  const start = contextPrefix(id);
  const keys = tier.disk.parts.getKeys({ start, end: prefixEnd(start) });
  return Array.from(keys, (key) => Uint8Array.from(key));
}

/** @returns how many records counted */
function doomAll(tier: DiskTier, keys: readonly Uint8Array[]): number {
  let count = 0;
  for (const key of keys) {
    // What is in memory goes on its own, and takes its records with it.
    if (isInMemory(tier, key)) continue;
    const version = tier.undoomedVersion(key);
    if (version === 0) continue;
    if (!tier.isOver(key)) count++;
    tier.doomed.add(key, version);
  }
  return count;
}

/** By who holds the pen: a part whose time is over goes, and dooms its records. */
function isInMemory({ store }: DiskTier, key: Uint8Array): boolean {
  const { id, part } = namesOfKey(key);
  return partOf(store, id, part) !== 0;
}
