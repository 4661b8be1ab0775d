/**
 * The file of an LMDB environment, as far as LMDB does not look after it: it does not wait for the disk when it makes one, and a process that
 * opens one without its first page dies. So a new one is made beside and linked into its place when it is on the disk, and an old one is
 * looked at before it is opened.
 */

import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  rmSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '../base/folders.ts';
import { fail } from '../errors.ts';

const dataName = 'data.mdb';
const folderMode = 0o700;
/** LMDB's magic number, and where it stands in its first page. */
const magic = 0xbe_ef_c0_de;
const magicByte = 24;
/** Two pages that lead to everything else. */
const leastBytes = 8192;

/**
 * Makes the environment in a folder, unless there is one.
 * @param make makes one in a folder of its own, and closes it
 */
export async function makeEnvironmentFile(
  path: string,
  make: (folder: string) => Promise<void>,
): Promise<void> {
  makeFolder(path, folderMode);
  const data = join(path, dataName);
  if (existsSync(data)) return;
  const draft = join(path, `new-${process.pid}`);
  rmSync(draft, { recursive: true, force: true });
  try {
    makeFolder(draft, folderMode);
    await make(draft);
    sync(join(draft, dataName));
    linkUnlessThere(join(draft, dataName), data);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  // Whatever folders were made for it, too.
  for (let at = resolve(path); syncFolder(at) && at !== dirname(at); at = dirname(at));
}

/** Of two who make it at the same time one is faster. */
function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/** @throws pool_corrupt for a file that LMDB would die of */
export function refuseDamaged(path: string): void {
  const data = join(path, dataName);
  const file = openSync(data, 'r');
  try {
    const head = Buffer.alloc(magicByte + 4);
    const { size } = fstatSync(file);
    readSync(file, head, 0, head.length, 0);
    if (size >= leastBytes && head.readUInt32LE(magicByte) === magic) return;
    fail('pool_corrupt', `${data} is no LMDB environment, or has lost its first page.`);
  } finally {
    closeSync(file);
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** @returns false where that is not allowed, as in the folders of others */
function syncFolder(path: string): boolean {
  try {
    sync(path);
    return true;
  } catch {
    return false;
  }
}
