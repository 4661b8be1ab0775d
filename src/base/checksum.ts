/**
 * CRC-32 by whatever computes it fastest here: @node-rs/crc32 is an optional dependency, a prebuilt addon that folds with the processor's
 * carry-less multiplication; zlib of Node goes through tables.
 */

import { createRequire } from 'node:module';
import { crc32 as zlibCrc32 } from 'node:zlib';

type Implementation = (bytes: Uint8Array, previous: number) => number;

/** What every CRC-32 is tried with. */
const sample = new TextEncoder().encode('123456789');

/** `load` is `require`. Any failure to load, or to compute what zlib does, means the same: it is not there for this machine. */
export function fastestCrc32(load: (name: string) => unknown): Implementation {
  try {
    const { crc32: addonCrc32 } = load('@node-rs/crc32') as { readonly crc32: Implementation };
    return addonCrc32(sample, 1) === zlibCrc32(sample, 1) ? addonCrc32 : zlibCrc32;
  } catch {
    return zlibCrc32;
  }
}

const implementation: Implementation = fastestCrc32(createRequire(import.meta.url));

/** CRC-32 (zlib polynomial) as a signed 32-bit word; `previous` continues a running checksum. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  // zlib takes an empty array without memory behind it for the wish to begin anew.
  if (bytes.length === 0) return previous | 0;
  return implementation(bytes, previous >>> 0) | 0;
}
