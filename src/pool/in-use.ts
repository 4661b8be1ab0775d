/** Whether somebody has a pool open for writing: its figures are then those of one moment. */

import { openMappedRegion } from '../memory/mapped.ts';

const writerSlot = 0;

/** True while a living process or thread owns the pool in the folder. @throws as openPool for reading */
export function poolInUse(path: string): boolean {
  const region = openMappedRegion(path, 'inspect');
  try {
    return region.ownerLives(writerSlot);
  } finally {
    region.close();
  }
}
