/** Folders of mapped pools. */

import { join } from 'node:path';
import { openMappedRegion } from '../../../src/memory/mapped.ts';
import type { MappedMode } from '../../../src/memory/mapped.ts';
import type { RegionOptions } from '../../../src/memory/region.ts';
import { codeOf, identity, mib, segmentOf, temporaryFolder } from './regions.ts';

export const options: RegionOptions = {
  capacityBytes: 12 * mib,
  segmentBytes: 4 * mib,
  ...identity,
};
/** A word that holds 5 in the first segment, and 1 in the second. */
export const spot: number = 100_000;

/** A pool of two segments, closed. */
export function poolFolder(): string {
  const folder = join(temporaryFolder(), 'pool');
  const region = openMappedRegion(folder, 'own', options);
  region.addSegment((segment) => segment.words.fill(1, spot, spot + 10));
  segmentOf(region, 0).words[spot] = 5;
  region.close();
  return folder;
}

/** What opening it fails with, or none. */
export function openCode(folder: string, mode: MappedMode): string {
  return codeOf(() => openMappedRegion(folder, mode, options).close());
}
