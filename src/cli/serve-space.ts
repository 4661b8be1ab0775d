/** Whether the file system of a data folder can hold what a server may store there. */

import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { errorTable } from '../errors.ts';
import { printable, type Palette } from './ansi.ts';
import { formatBytes } from './format.ts';
import { tenantsFolder } from './target.ts';

/** Bytes that a file system has to give to this user. */
export type FreeBytes = (path: string) => number;

const systemFreeBytes: FreeBytes = (path) => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

/**
 * What to say at the start of a server, as lines; none when there is room. Segments are reserved one by one as a pool grows: a file system that is
 * too small (a container's /dev/shm has 64 MiB unless it is told otherwise) is found out by a write that is refused, much later.
 */
export function spaceNote(
  dataPath: string,
  capacityBytes: number,
  paint: Palette,
  freeBytes: FreeBytes = systemFreeBytes,
): string[] {
  const storedBytes = allocatedBytes(join(dataPath, tenantsFolder));
  const free = freeBytes(nearestFolder(dataPath));
  if (storedBytes + free >= capacityBytes) return [];
  const room = `${formatBytes(free)} free beside ${formatBytes(storedBytes)} that the pools take`;
  return [
    `${paint.yellow('note[memory_unavailable]:')} the file system of ${printable(dataPath)} has ${room}: ` +
      `it fills up before the ${formatBytes(capacityBytes)} of --capacity are used, and writes are refused then`,
    `  ${errorTable.memory_unavailable.advice}`,
  ];
}

/** The data folder, or what it will be made in. */
function nearestFolder(path: string): string {
  let folder = resolve(path);
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}

/** What the files of all pools take on the disk; what goes away meanwhile takes nothing. */
function allocatedBytes(tenants: string): number {
  const options = { recursive: true, encoding: 'utf8' } as const;
  if (!existsSync(tenants)) return 0;
  return readdirSync(tenants, options).reduce((sum, name) => {
    const blocks = statSync(join(tenants, name), { throwIfNoEntry: false })?.blocks ?? 0;
    return sum + blocks * 512;
  }, 0);
}
