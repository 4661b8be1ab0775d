/**
 * Segment header: which pool a segment belongs to, its number and its size. Written once, before the superblock counts the segment, but for
 * the last two words.
 *
 * ```
 *  word  0       1        2        3         4 … 7        8                      9                    10…15   16
 *       ┌───────┬────────┬────────┬─────────┬────────────┬──────────────────────┬────────────────────┬───────┬────────────────┐
 *       │ magic │ number │ size   │ size    │ pool uuid  │ checksum: crc32 of   │ touchedBytes       │ spare │ lock (lock.ts) │
 *       │ 'CENS'│        │ low    │ high    │ 8 hex each │ words 0…7            │ of a shared buffer │       │                │
 *       └───────┴────────┴────────┴─────────┴────────────┴──────────────────────┴────────────────────┴───────┴────────────────┘
 * ```
 */

import { crc32 } from '../base/checksum.ts';
import { fail } from '../errors.ts';
import { hexWord, highWord, joinWords, lowWord } from './fields.ts';
import { minSegmentSlabs } from './geometry.ts';
import { segmentHeader, segmentHeaderByte, segmentLockWord, segmentMagic } from './layout.ts';
import { wordsOf } from './region.ts';
import type { Superblock } from './superblock.ts';
import { load, store, zero } from './words.ts';
import type { Words } from './words.ts';

const firstWord = segmentHeaderByte >> 2;

/** Bytes from the start of a segment that `readSegmentSize` looks at. */
export const segmentHeaderEndByte: number = segmentHeaderByte + (segmentHeader.checksum + 1) * 4;

function checksumOf(image: Int32Array): number {
  return crc32(new Uint8Array(image.buffer, 0, segmentHeader.checksum * 4));
}

export function writeSegmentHeader(
  words: Words,
  number: number,
  sizeBytes: number,
  poolUuid: string,
): void {
  const image = new Int32Array(segmentHeader.checksum + 1);
  image[segmentHeader.magic] = segmentMagic;
  image[segmentHeader.number] = number;
  image[segmentHeader.sizeBytesLow] = lowWord(sizeBytes);
  image[segmentHeader.sizeBytesHigh] = highWord(sizeBytes);
  for (let i = 0; i < 4; i += 1) image[segmentHeader.poolUuid + i] = hexWord(poolUuid, i);
  image[segmentHeader.checksum] = checksumOf(image);
  for (let i = 0; i < image.length; i += 1) store(words, firstWord + i, image[i] as number);
}

/**
 * Makes a buffer that may have been a segment before all zero but for its lock, which others may be looking at. Only what that one
 * used is written to, so that the rest of a buffer costs no memory. @param sizeBytes of the segment that it will be
 */
export function wipeBuffer(buffer: SharedArrayBuffer, sizeBytes: number): void {
  const words = wordsOf(buffer);
  const bytes = new Uint8Array(buffer, words.byteOffset);
  const touchedBytes = load(words, firstWord + segmentHeader.touchedBytes);
  if (touchedBytes > 0) {
    zero(bytes, 0, (firstWord + segmentHeader.touchedBytes) * 4);
    zero(bytes, (firstWord + segmentHeader.touchedBytes + 1) * 4, segmentLockWord * 4);
    zero(bytes, (segmentLockWord + 1) * 4, touchedBytes);
  }
  // Last: whoever dies before leaves the next one to wipe all of it again.
  store(words, firstWord + segmentHeader.touchedBytes, sizeBytes);
}

/**
 * Verifies that `words` is segment `number` of the pool and returns its size in bytes.
 * @throws pool_corrupt
 */
export function readSegmentSize(words: Words, number: number, pool: Superblock): number {
  const image = new Int32Array(segmentHeader.checksum + 1);
  for (let i = 0; i < image.length; i += 1) image[i] = load(words, firstWord + i);
  const corrupt = (what: string): never =>
    fail('pool_corrupt', `header of segment ${number}: ${what}`);
  if (image[segmentHeader.magic] !== segmentMagic) corrupt('no magic');
  if (image[segmentHeader.checksum] !== checksumOf(image)) corrupt('checksum does not match');
  if (image[segmentHeader.number] !== number)
    corrupt(`is of segment ${image[segmentHeader.number]}`);
  for (let i = 0; i < 4; i += 1) {
    if (image[segmentHeader.poolUuid + i] !== hexWord(pool.poolUuid, i))
      corrupt('belongs to another pool');
  }
  const sizeBytes = joinWords(
    image[segmentHeader.sizeBytesLow] as number,
    image[segmentHeader.sizeBytesHigh] as number,
  );
  const slabBytes = 2 ** pool.slabShift;
  if (
    sizeBytes > 2 ** pool.segmentShift ||
    sizeBytes < minSegmentSlabs * slabBytes ||
    sizeBytes % slabBytes !== 0
  ) {
    corrupt(`size ${sizeBytes} does not fit the pool`);
  }
  return sizeBytes;
}
