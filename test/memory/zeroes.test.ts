/** Zeroes reach every byte that is meant and no other, whatever the length and whoever may look. */

import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { zeroBytes } from '../../src/memory/zeroes.ts';

const pieceBytes = 2 ** 16;
const sizeBytes = 4 * pieceBytes;
const lengths = [0, 1, 255, 256, 257, 5000, ...around(pieceBytes), ...around(3 * pieceBytes)];

function around(length: number): number[] {
  return [length - 1, length, length + 1];
}

describe.each([
  ['shared', new SharedArrayBuffer(sizeBytes)],
  ['private', new ArrayBuffer(sizeBytes)],
])('in %s memory', (_, buffer) => {
  // Not from the beginning of the buffer: offsets are those of the view.
  const bytes = new Uint8Array(buffer, 64);
  const expected = new Uint8Array(bytes.length);

  it.each(lengths)('%d bytes are zero, and those beside them what they were', (length) => {
    for (const from of [0, 1, 4099]) {
      bytes.set(expected.fill(0xff));
      expected.fill(0, from, Math.max(from, from + length));
      zeroBytes(bytes, from, from + length);
      assert(Buffer.compare(bytes, expected) === 0, `from ${from}`);
    }
  });
});
