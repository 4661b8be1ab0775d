import { readFileSync } from 'node:fs';
import type { Pool } from '../../src/pool/api.ts';

/** How often this process has the files of a mapped pool mapped. */
export function mappingsOf({ handle: { region } }: Pool): number {
  if (region.type !== 'mapped') throw new Error('Only files are mapped.');
  return readFileSync('/proc/self/maps', 'latin1').split(`${region.path}/`).length - 1;
}
