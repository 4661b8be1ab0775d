/** A file for a moment: nobody else reads it, and nothing is left of it. */

import { existsSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { fail } from '../../errors.ts';

/** Memory that looks like a folder; where there is room in it no disk is touched. */
const memoryFolder = '/dev/shm';

const namePrefix = 'cenote-state-';
/** A folder so old is of a process that was killed: what is under way takes seconds. */
const leftoverMs = 3_600_000;

/** Looked through once by this process. */
const cleaned = new Set<string>();

/** Where such files may be, the best first. */
export function scratchFolders(): readonly string[] {
  return existsSync(memoryFolder) ? [memoryFolder, tmpdir()] : [tmpdir()];
}

/**
 * Runs `use` with the paths of `count` empty files (0600) in a folder of their own (0700), and removes all, however it ends.
 * In the next folder again where that may help: the first may be small.
 * @throws io_failed where none of them will do
 */
export async function withScratch<T>(
  folders: readonly string[],
  names: readonly string[],
  use: (...paths: string[]) => Promise<T>,
): Promise<T> {
  const [first, ...others] = folders;
  try {
    return await once(first as string, names, use);
  } catch (error) {
    if (!isTight(error)) throw error;
    if (others.length > 0) return withScratch(others, names, use);
    return fail('io_failed', `The state cannot be passed through a file in ${first}.`, error);
  }
}

/** Says of an error that it may have come from a folder without room. */
export class ScratchError extends Error {}

function isTight(error: unknown): boolean {
  if (error instanceof ScratchError) return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EACCES' || code === 'EROFS';
}

async function once<T>(
  parent: string,
  names: readonly string[],
  use: (...paths: string[]) => Promise<T>,
): Promise<T> {
  if (!cleaned.has(parent)) {
    cleaned.add(parent);
    await removeLeftovers(parent, systemClock.nowMs());
  }
  const folder = await mkdtemp(join(parent, namePrefix));
  try {
    const paths = names.map((name) => join(folder, name));
    for (const path of paths) await (await open(path, 'wx', 0o600)).close();
    return await use(...paths);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what processes of this user that were killed have left: in memory it would stay until the machine starts anew. */
export async function removeLeftovers(parent: string, nowMs: number): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(namePrefix)) continue;
    const folder = join(parent, name);
    try {
      const { mtimeMs, uid } = await stat(folder);
      if (uid !== process.getuid?.() || nowMs - mtimeMs < leftoverMs) continue;
      await rm(folder, { recursive: true, force: true });
    } catch {
      // Somebody else is removing it, or may, and we may not.
    }
  }
}
