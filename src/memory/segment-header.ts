/**
 * Segment header: which pool a segment belongs to, its number and its size. Written once, before the superblock counts the segment.
 *
 * ```
 *  word  0       1        2        3         4 … 7        8
 *       ┌───────┬────────┬────────┬─────────┬────────────┬──────────────────────┐
 *       │ magic │ number │ size   │ size    │ pool uuid  │ checksum: crc32 of   │
 *       │ 'CENS'│        │ low    │ high    │ 8 hex each │ words 0…7            │
 *       └───────┴────────┴────────┴─────────┴────────────┴──────────────────────┘
 * ```
 */

import { crc32 } from '../base/checksum.ts';
import { fail } from '../errors.ts';
import { hexWord, highWord, joinWords, lowWord } from './fields.ts';
import { minSegmentSlabs } from './geometry.ts';
import { segmentHeader, segmentHeaderByte, segmentMagic } from './layout.ts';
import type { Superblock } from './superblock.ts';
import { load, store } from './words.ts';
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
