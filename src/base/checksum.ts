import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 (zlib polynomial) as a signed 32-bit word; `previous` continues a running checksum. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  // zlib takes an empty array without memory behind it for the wish to begin anew.
  if (bytes.length === 0) return previous | 0;
  return zlibCrc32(bytes, previous >>> 0) | 0;
}
