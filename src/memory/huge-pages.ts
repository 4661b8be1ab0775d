/**
 * Huge pages: a get at random misses the page table as often as the cache, and in pages of 2 MiB most of it is found. A first touch is
 * one fault in place of 512.
 *
 * - Files in memory (tmpfs, such as /dev/shm) get them by MADV_COLLAPSE (Linux 6.1), whatever the settings of the machine and without
 *   privilege. Of a file that is empty the kernel just fills the hole, which takes a quarter of the time that reserving pages of 4 KiB does.
 * - SharedArrayBuffers get them where they are touched, if the machine allows it (`transparent_hugepage/enabled`: madvise or always).
 *
 * Where the kernel cannot, or memory has no piece of that size left, everything is as it was.
 */

import { reserveEmpty } from './files.ts';
import type { Files } from './files.ts';
import { hugePageBytes } from './os-mappings.ts';
import type { OsCalls } from './os.ts';
import { pageBytes } from './region.ts';
import type { Segment } from './region.ts';

/** A machine that has to make room first, or whose own host has, takes long: then what is left gets small pages. 1 GiB takes 0.07 s otherwise. */
export const hugeWaitMs = 500;

/** Asked for at once, since each call first waits for all processors. */
const stepBytes: number = 32 * hugePageBytes;

/**
 * Smaller segments have small pages: of a shared one up to 2 MiB in memory for each byte that is touched would be much, and to wait for all
 * processors takes longer than to fill a small file.
 */
const leastBytes: number = 16 * hugePageBytes;

/** Reserves what it can of an empty file in huge pages. What is left is to be reserved as ever. @throws what reserving one page throws */
export function reserveHuge(
  system: { readonly files: Files; readonly os: OsCalls },
  fd: number,
  sizeBytes: number,
  nowMs: () => number = () => performance.now(),
): void {
  const wholeBytes = Math.floor(sizeBytes / hugePageBytes) * hugePageBytes;
  if (wholeBytes < leastBytes) return;
  const { os } = system;
  const endMs = nowMs() + hugeWaitMs;
  const address = os.map(fd, wholeBytes, 'shared');
  try {
    for (let from = 0; from < wholeBytes && nowMs() < endMs; from += stepBytes) {
      const to = Math.min(from + stepBytes, wholeBytes);
      // Where there is nothing at all the kernel sees a file that was cut off.
      for (let at = from; at < to; at += hugePageBytes) reserveEmpty(system, fd, at, pageBytes);
      if (!os.collapse(address + from, to - from)) return;
    }
  } finally {
    os.unmap(address, wholeBytes);
  }
}

/** Asks for huge pages where a shared segment, untouched so far, will be touched. @returns false where it is too small or there are none */
export function preferHuge({ bytes, sizeBytes }: Segment, os: OsCalls | undefined): boolean {
  if (os === undefined || sizeBytes < leastBytes) return false;
  const address = os.addressOf(bytes);
  const from = Math.ceil(address / hugePageBytes) * hugePageBytes;
  const to = Math.floor((address + sizeBytes) / hugePageBytes) * hugePageBytes;
  return os.preferHuge(from, to - from);
}
