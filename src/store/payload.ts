/** The committed bytes of an entry. */

import { crc32 } from '../base/checksum.ts';
import { fail } from '../errors.ts';
import type { Ref, Region } from '../memory/region.ts';
import { peek, type Words, zero } from '../memory/words.ts';
import { bytesPerElement } from './element.ts';
import { byteOf, commitSlot, committed, field, segmentOf, trait } from './entry.ts';
import type { Store } from './store.ts';

/** The committed bytes of an entry, in place. */
export function bytesOfEntry(region: Region, words: Words, at: number): Uint8Array {
  const slot = committed(words, at);
  const payload = peek(words, slot + commitSlot.ref);
  const { bytes } = segmentOf(region, payload);
  const from = byteOf(region, payload);
  return bytes.subarray(from, from + peek(words, slot + commitSlot.length));
}

/** True when the committed bytes match their checksum, or none was taken. */
export function isIntact(words: Words, at: number, bytes: Uint8Array): boolean {
  if ((peek(words, at + field.traits) & trait.checksummed) === 0) return true;
  return crc32(bytes) === peek(words, committed(words, at) + commitSlot.crc32);
}

/** Arrays up to this size have no buffer of their own until one is asked for, and so none that is shared. */
const bufferlessBytes = 64;

/**
 * Checksum of bytes that were just copied to byte `to` of `target`. Where another thread may have changed the source since, the copy is
 * read. @param previous continues a running checksum
 */
export function checksumOfCopy(
  source: Uint8Array,
  target: Uint8Array,
  to: number,
  previous?: number,
): number {
  const mayChange = source.length > bufferlessBytes && source.buffer instanceof SharedArrayBuffer;
  return crc32(mayChange ? target.subarray(to, to + source.length) : source, previous);
}

/** @throws invalid_argument unless `sizeBytes` is a whole number of elements */
export function assertWhole(sizeBytes: number, code: number): void {
  const elementBytes = bytesPerElement(code);
  if (sizeBytes % elementBytes === 0) return;
  fail(
    'invalid_argument',
    `${sizeBytes} bytes are not a whole number of ${elementBytes}-byte elements.`,
  );
}

/** Zeroes a block that held something sensitive. */
export function wipe(store: Store, payload: Ref, blockBytes: number): void {
  const from = byteOf(store.region, payload);
  zero(segmentOf(store.region, payload).bytes, from, from + blockBytes);
}
