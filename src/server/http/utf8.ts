/** Checks UTF-8 that arrives in chunks, without decoding it. */

import { isUtf8 } from 'node:buffer';

import { fail } from '../../errors.ts';

/** Longest UTF-8 sequence. */
const maxSequenceBytes = 4;

export class Utf8Check {
  /** A sequence that the chunks so far have begun. */
  #open: Buffer = Buffer.alloc(0);
  #checkedBytes = 0;

  /** @throws invalid_argument */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    if (this.#open.length > 0) {
      const missing = sequenceBytes(this.#open[0] as number) - this.#open.length;
      this.#open = Buffer.concat([this.#open, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (this.#open.length < sequenceBytes(this.#open[0] as number)) return;
      this.#require(this.#open);
    }
    const whole = rest.subarray(0, rest.length - openBytes(rest));
    this.#require(whole);
    this.#open = Buffer.from(rest.subarray(whole.length));
  }

  /** @throws invalid_argument when the last sequence is not complete */
  finish(): void {
    this.#require(this.#open);
  }

  #require(bytes: Uint8Array): void {
    if (!isUtf8(bytes)) {
      fail(
        'invalid_argument',
        `The body is not UTF-8 within ${bytes.length} bytes from byte ${this.#checkedBytes}.`,
      );
    }
    this.#checkedBytes += bytes.length;
  }
}

/** Length of the sequence that starts with `lead`; 1 for bytes that start none. */
function sequenceBytes(lead: number): number {
  if (lead >= 0xf0) return lead <= 0xf4 ? 4 : 1;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc2 ? 2 : 1;
}

/** How many bytes at the end belong to a sequence that needs more than there are. */
function openBytes(bytes: Uint8Array): number {
  for (let back = 1; back < maxSequenceBytes && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return sequenceBytes(byte) > back ? back : 0;
  }
  return 0;
}
