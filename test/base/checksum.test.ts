import { createRequire } from 'node:module';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { crc32, fastestCrc32 } from '../../src/base/checksum.ts';
import { rounds, seed } from '../support/seed.ts';
import { fc } from '../support/properties.ts';

const text = new TextEncoder().encode('123456789');

test('the check value of CRC-32', () => {
  expect(crc32(text) >>> 0).toBe(0xcbf43926);
});

test('continues a running checksum at any cut', () => {
  for (let cut = 0; cut <= text.length; cut++) {
    expect(crc32(text.subarray(cut), crc32(text.subarray(0, cut)))).toBe(crc32(text));
  }
});

test('an addon that computes something else is not used', () => {
  for (const crc32Of of [undefined, () => 0, (bytes: Uint8Array) => zlibCrc32(bytes) ^ 1]) {
    expect(fastestCrc32(() => ({ crc32: crc32Of }))).toBe(zlibCrc32);
  }
});

test('no bytes change nothing, wherever the empty array points', () => {
  for (const empty of [
    new Uint8Array(0),
    text.subarray(9),
    new Uint8Array(new SharedArrayBuffer(0)),
  ]) {
    expect(crc32(empty, 0x1234567)).toBe(0x1234567);
    expect(crc32(empty)).toBe(0);
  }
});

test('the addon and zlib agree, on memory of any kind', () => {
  const load = createRequire(import.meta.url);
  const fast = fastestCrc32(load);
  const plain = fastestCrc32(() => {
    throw new Error('not for this machine');
  });
  expect(fast).toBe((load('@node-rs/crc32') as { readonly crc32: unknown }).crc32);
  expect(plain).toBe(zlibCrc32);
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 5000 }),
      fc.nat({ max: 0xffff_ffff }),
      fc.nat({ max: 64 }),
      (bytes, previous, cut) => {
        const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
        shared.set(bytes);
        for (const source of [bytes, shared]) {
          const some = source.subarray(Math.min(cut, bytes.length - 1));
          expect(fast(some, previous) | 0).toBe(plain(some, previous) | 0);
        }
      },
    ),
    { seed: seed(), numRuns: rounds(200, 5000) },
  );
});
