import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';

describe('crc32', () => {
  it('is the one of zlib, as a signed word', () => {
    expect(crc32(Buffer.from('123456789')) >>> 0).toBe(0xcbf43926);
    expect(crc32(Buffer.from('123456789'))).toBeLessThan(0);
  });

  it('continues', () => {
    expect(crc32(Buffer.from('6789'), crc32(Buffer.from('12345'))) >>> 0).toBe(0xcbf43926);
  });

  it('stays what it is over nothing, wherever nothing lies', () => {
    const nothings = [
      new Uint8Array(0),
      new TextEncoder().encode(''),
      Buffer.from(''),
      new Uint8Array(new ArrayBuffer(0)),
      new Uint8Array(new SharedArrayBuffer(64), 64, 0),
      new Uint8Array(new ArrayBuffer(8)).subarray(4, 4),
    ];
    const checksum = crc32(Buffer.from('123456789'));
    for (const nothing of nothings) expect(crc32(nothing, checksum)).toBe(checksum);
  });
});
