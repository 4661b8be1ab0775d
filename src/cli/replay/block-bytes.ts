/** Real bytes for numbered blocks: made without a copy per block, and recognised again byte by byte as they arrive. */

import { randomFillSync } from 'node:crypto';

/** Number of the block and of the run, 4 bytes each: nobody's other block passes for this one. */
export const headerBytes = 8;

/** Blocks begin at so many different places of the pattern, so far apart. */
const places = 64;
const placeBytes = 64;

/** The bytes of all blocks: a header, then a stretch of one random pattern. */
export class BlockBytes {
  readonly blockBytes: number;
  readonly #run: number;
  readonly #pattern: Buffer;

  /** @param blockBytes at least headerBytes */
  constructor(blockBytes: number, run: number) {
    this.blockBytes = blockBytes;
    this.#run = run;
    this.#pattern = randomFillSync(Buffer.allocUnsafe(blockBytes + places * placeBytes));
  }

  header(block: number): Buffer {
    const header = Buffer.allocUnsafe(headerBytes);
    header.writeUInt32LE(block, 0);
    header.writeUInt32LE(this.#run, 4);
    return header;
  }

  /** What follows the header; a view that is not to be written to. */
  body(block: number): Buffer {
    const from = (block % places) * placeBytes;
    return this.#pattern.subarray(from, from + this.blockBytes - headerBytes);
  }
}

/** Compares what arrives with what a block must hold. */
export class BlockCheck {
  readonly #bytes: BlockBytes;
  #header: Buffer = Buffer.alloc(0);
  #body: Buffer = Buffer.alloc(0);
  #seenBytes = 0;
  #same = true;

  constructor(bytes: BlockBytes) {
    this.#bytes = bytes;
  }

  begin(block: number): void {
    this.#header = this.#bytes.header(block);
    this.#body = this.#bytes.body(block);
    this.#seenBytes = 0;
    this.#same = true;
  }

  push(chunk: Buffer): void {
    const at = this.#seenBytes;
    this.#seenBytes += chunk.length;
    if (!this.#same) return;
    const ofHeader = Math.min(chunk.length, Math.max(0, headerBytes - at));
    this.#same =
      matches(chunk.subarray(0, ofHeader), this.#header, at) &&
      matches(chunk.subarray(ofHeader), this.#body, at + ofHeader - headerBytes);
  }

  /** True when all of the block has come and nothing else. */
  get isWhole(): boolean {
    return this.#same && this.#seenBytes === this.#bytes.blockBytes;
  }
}

function matches(chunk: Buffer, expected: Buffer, at: number): boolean {
  if (chunk.length === 0) return true;
  const end = at + chunk.length;
  return end <= expected.length && chunk.compare(expected, at, end) === 0;
}
