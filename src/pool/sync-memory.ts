/** The files of a pool's memory, put on the disk. */

import { open } from 'node:fs/promises';
import { segmentPath } from '../memory/pool-files.ts';

/** Resolves when all segments and their names are on the disk. @throws what the system says */
export async function syncMemory(folder: string, segments: number): Promise<void> {
  for (let number = 0; number < segments; number++) await sync(segmentPath(folder, number));
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
