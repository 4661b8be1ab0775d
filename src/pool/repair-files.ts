/**
 * How repaired segments take the place of damaged ones, so that an interruption at any point can be resumed, and nothing is ever lost.
 *
 * ```
 *  1. POOL/repairing/segment-*   the new segments are being made: whoever finds this removes it
 *  2. POOL/repaired/segment-*    they are complete and on the disk: from here on the repair is finished, whoever does it
 *  3. POOL/damaged-1/            the damaged segments move there, segment 0 last; until it has moved, nothing has come from POOL/repaired
 *  4. POOL/                      the new ones move in, segment 0 last: the pool opens again
 * ```
 * In 3 and 4 the pool cannot be opened: `pool_corrupt` or `not_a_pool`.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { coded } from '../memory/files.ts';
import { lockFileName, segmentPath } from '../memory/pool-files.ts';

const folderMode = 0o700;
const repairingName = 'repairing';
const repairedName = 'repaired';
/** What a snapshot says of its segments is not true of repaired ones. */
const manifestName = 'snapshot.json';

/** Where the new segments are made. Leftovers of an interrupted repair are removed. */
export function repairFolder(pool: string): string {
  const folder = join(pool, repairingName);
  coded(`cannot remove ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** True when a repair was interrupted after the new segments were complete. */
export function isHalfRepaired(pool: string): boolean {
  return existsSync(join(pool, repairedName));
}

/** The new segments are complete: they are put on the disk, and the repair becomes one that is to be finished. */
export function commitRepair(pool: string): void {
  const from = join(pool, repairingName);
  coded(`cannot write ${from}`, () => {
    rmSync(join(from, lockFileName), { force: true });
    for (const name of segmentsIn(from)) syncFile(join(from, name));
    syncFile(from);
    renameSync(from, join(pool, repairedName));
    syncFile(pool);
  });
}

/** Steps 3 and 4, from wherever they were interrupted. @returns the folder with the damaged segments */
export function finishRepair(pool: string): string {
  return coded(`cannot exchange the segments of ${pool}`, () => {
    const repaired = join(pool, repairedName);
    const firstOf = (folder: string): string => segmentPath(folder, 0);
    // Segment 0 goes last and comes last: where both are there, the one in the pool is the damaged one.
    const isOldThere = existsSync(firstOf(pool)) && existsSync(firstOf(repaired));
    const last = lastBackup(pool);
    const isFilled = last === 0 || existsSync(firstOf(backupFolder(pool, last)));
    const backup = backupFolder(pool, isOldThere && isFilled ? last + 1 : last);
    if (isOldThere) {
      mkdirSync(backup, { recursive: true, mode: folderMode });
      const old = segmentsIn(pool);
      if (existsSync(join(pool, manifestName))) old.unshift(manifestName);
      moveAll(old, pool, backup);
    }
    moveAll(segmentsIn(repaired), repaired, pool);
    rmSync(repaired, { recursive: true, force: true });
    syncFile(pool);
    return backup;
  });
}

function moveAll(names: readonly string[], from: string, to: string): void {
  for (const name of names) renameSync(join(from, name), join(to, name));
  syncFile(to);
  syncFile(from);
}

/** Names of segments, the highest number first. */
function segmentsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^segment-\d{4,}$/.test(name))
    .sort((a, b) => Number(b.slice(8)) - Number(a.slice(8)));
}

/** Number of the newest backup; 0: there is none. */
function lastBackup(pool: string): number {
  const numbers = readdirSync(pool).flatMap((name) => /^damaged-(\d+)$/.exec(name)?.[1] ?? []);
  return Math.max(0, ...numbers.map(Number));
}

function backupFolder(pool: string, number: number): string {
  return join(pool, `damaged-${number}`);
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
