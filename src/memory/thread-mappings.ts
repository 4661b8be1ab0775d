/**
 * What a thread has mapped, in memory that outlives it. A thread that is gone unmaps nothing, and until the process ends what it had mapped counts as its
 * resident memory, and costs a 512th of it in page tables. Whoever started the thread can unmap it.
 *
 * ```
 *         u64       u64
 *        ┌─────────┬──────────────┐
 * entry: │ address │ bytes, 0 if  │  × entriesMax
 *        │         │ it is free   │
 *        └─────────┴──────────────┘
 * ```
 * The thread alone writes it as long as it lives: after it has mapped something, and before it unmaps it.
 */

import { type OsCalls, osCalls } from './os.ts';

/** Twice the segments of the largest region. What finds no room stays until the process ends. */
const entriesMax = 256;
const entryWords = 2;

const own: BigUint64Array = new BigUint64Array(
  new SharedArrayBuffer(entriesMax * entryWords * BigUint64Array.BYTES_PER_ELEMENT),
);

/** Of this thread. */
export function threadMappings(): SharedArrayBuffer {
  return own.buffer as SharedArrayBuffer;
}

function find(bytesOrAddress: bigint, word: 0 | 1): number {
  for (let at = 0; at < own.length; at += entryWords) {
    if (own[at + word] === bytesOrAddress) return at;
  }
  return -1;
}

export function noteMapping(address: number, sizeBytes: number): void {
  const at = find(0n, 1);
  if (at < 0) return;
  own[at] = BigInt(address);
  own[at + 1] = BigInt(sizeBytes);
}

export function forgetMapping(address: number): void {
  const at = find(BigInt(address), 0);
  if (at >= 0) own.fill(0n, at, at + entryWords);
}

/** Unmaps what a thread has left that has exited. @param mappings its `threadMappings` */
export function unmapLeft(mappings: SharedArrayBuffer, os: () => OsCalls = osCalls): void {
  const left = new BigUint64Array(mappings);
  for (let at = 0; at < left.length; at += entryWords) {
    const [address, sizeBytes] = [Number(left[at]), Number(left[at + 1])];
    left.fill(0n, at, at + entryWords);
    if (sizeBytes === 0) continue;
    try {
      os().unmap(address, sizeBytes);
    } catch {
      // No room to note where a larger mapping is cut: it stays.
    }
  }
}
