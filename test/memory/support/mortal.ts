/** Owners that can die within a test: what the kernel or the starter of a thread does then is done, and nothing else. */

import { nodeFiles } from '../../../src/memory/files.ts';
import type { Patience } from '../../../src/memory/lock.ts';
import { openMappedRegion } from '../../../src/memory/mapped.ts';
import type { MappedMode } from '../../../src/memory/mapped.ts';
import { osCalls } from '../../../src/memory/os.ts';
import { ownerAbandoned, ownerSlot, ownerWord } from '../../../src/memory/owners.ts';
import type { Region, RegionOptions, Segment } from '../../../src/memory/region.ts';
import { attachSharedRegion } from '../../../src/memory/shared.ts';

export interface Mortal {
  readonly region: Region;
  /** The owner of `region` is no more: its locks go, what it wrote stays. */
  readonly die: () => void;
}

/** Waits for nobody. */
export const impatient: Patience = { waitMs: 0, waiter: { nowMs: () => 0, pause: () => {} } };

/** Opens a mapped region whose owner can die. */
export function mortalMapped(
  folder: string,
  mode: MappedMode,
  options?: RegionOptions,
  patience: Patience = impatient,
): Mortal {
  const open = new Map<number, string>();
  const files: typeof nodeFiles = {
    ...nodeFiles,
    open(path, flags, fileMode) {
      const fd = nodeFiles.open(path, flags, fileMode);
      open.set(fd, path);
      return fd;
    },
    close(fd) {
      open.delete(fd);
      nodeFiles.close(fd);
    },
  };
  const system = { files, os: osCalls() };
  const region = openMappedRegion(folder, mode, options, system, patience);
  return { region, die: () => [...open.keys()].forEach((fd) => files.close(fd)) };
}

/** Joins the region of another, which must be of this process. */
export function mortalJoin(region: Region, patience: Patience = impatient): Mortal {
  const { handle } = region;
  if (handle.type === 'mapped') return mortalMapped(handle.path, 'join', undefined, patience);
  const joined = attachSharedRegion(handle, patience);
  const { words } = joined.segments[0] as Segment;
  const state = ownerWord(joined.ownerSlot, ownerSlot.state);
  return { region: joined, die: () => void Atomics.store(words, state, ownerAbandoned) };
}
