/** A machine that went down, as its pools are found afterwards. */

import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { superblockAByte, superblockBByte } from '../../src/memory/layout.ts';
import { decodeSuperblock, encodeSuperblock } from '../../src/memory/superblock-codec.ts';

/** What a folder looks like after the machine was down: the superblocks are those of another boot, of a pool that was not closed. */
export function losePower(path: string, clean = false): void {
  const file = openSync(join(path, 'segment-0000'), 'r+');
  try {
    for (const at of [superblockAByte, superblockBByte]) {
      const image = new Int32Array(64);
      const bytes = new Uint8Array(image.buffer);
      readSync(file, bytes, 0, bytes.length, at);
      const block = { ...decodeSuperblock(image), bootId: '1'.repeat(32), clean };
      writeSync(file, new Uint8Array(encodeSuperblock(block).buffer), 0, bytes.length, at);
    }
  } finally {
    closeSync(file);
  }
}
