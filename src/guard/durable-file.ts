/** Small files that are read and replaced whole, and the lock under which they are changed. */

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import type { Clock } from '../base/clock.ts';
import { fail } from '../errors.ts';

const privateMode = 0o600;

/** The lock is held for a few milliseconds: whoever has it longer than this died with it. */
const staleMs = 10_000;
const retryMs = 20;
/** Longer than a lock can be stale. */
const attemptsMax: number = (2 * staleMs) / retryMs;

/** The text of a file; undefined when there is none. @throws io_failed */
export function readIfThere(path: string): Promise<string | undefined> {
  return doing(`read ${path}`, async () => {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** Replaces a file: afterwards it is whole, the old or the new, whatever happens. @throws io_failed */
export function replaceFile(path: string, text: string): Promise<void> {
  return doing(`write ${path}`, async () => {
    const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
    try {
      await synced(await open(draft, 'wx', privateMode), (file) => file.writeFile(text));
      await rename(draft, path);
    } catch (error) {
      await unlink(draft).catch(() => {});
      throw error;
    }
    await synced(await open(dirname(path), 'r'), async () => {});
  });
}

/** By lock: ends when who has come last in this process is done. */
const lastToCome = new Map<string, Promise<unknown>>();

/**
 * Runs alone among all processes that take this lock. Those of one process come in order: who only looked now and then might never find it free.
 * @throws io_failed, and what `work` throws
 */
export function locked<T>(path: string, clock: Clock, work: () => Promise<T>): Promise<T> {
  const before = lastToCome.get(path) ?? Promise.resolve();
  const turn = before.then(() => alone(path, clock, work));
  const done: Promise<unknown> = turn
    .catch(() => undefined)
    .finally(() => {
      if (lastToCome.get(path) === done) lastToCome.delete(path);
    });
  lastToCome.set(path, done);
  return turn;
}

async function alone<T>(path: string, clock: Clock, work: () => Promise<T>): Promise<T> {
  await doing(`take the lock ${path}`, () => take(path, clock));
  try {
    return await work();
  } finally {
    await unlink(path).catch(() => {});
  }
}

async function take(path: string, clock: Clock): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    try {
      await (await open(path, 'wx', privateMode)).close();
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    await removeStale(path, clock);
    await pause(retryMs);
  }
  fail('io_failed', `Could not take the lock ${path}: other processes hold it all the time.`);
}

/**
 * Takes away the lock of someone who died. Of those who find it only one looks again and removes it: otherwise a second would
 * remove the lock that the first has taken since.
 */
async function removeStale(path: string, clock: Clock): Promise<void> {
  if (!(await isStale(path, clock))) return;
  const breaking = `${path}.stale`;
  try {
    await (await open(breaking, 'wx', privateMode)).close();
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw error;
  }
  try {
    if (await isStale(path, clock)) await unlink(path).catch(() => {});
  } finally {
    await unlink(breaking);
  }
}

async function isStale(path: string, clock: Clock): Promise<boolean> {
  return clock.nowMs() - (await changedAtMs(path, clock)) >= staleMs;
}

async function changedAtMs(path: string, clock: Clock): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return clock.nowMs();
  }
}

async function synced(file: FileHandle, write: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await write(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @throws io_failed, saying what could not be done; errors that have a code pass */
export async function doing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'CenoteError') throw error;
    return fail('io_failed', `Could not ${what}: ${errnoOf(error) ?? 'unknown error'}.`, error);
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
