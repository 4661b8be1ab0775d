import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 (zlib polynomial) as a signed 32-bit word; `previous` continues a running checksum. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  return zlibCrc32(bytes, previous >>> 0) | 0;
}
