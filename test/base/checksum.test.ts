import { expect, test } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';

const text = new TextEncoder().encode('123456789');

test('the check value of CRC-32', () => {
  expect(crc32(text) >>> 0).toBe(0xcbf43926);
});

test('continues a running checksum at any cut', () => {
  for (let cut = 0; cut <= text.length; cut++) {
    expect(crc32(text.subarray(cut), crc32(text.subarray(0, cut)))).toBe(crc32(text));
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
