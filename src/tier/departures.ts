/**
 * Names of parts whose bytes are on the way to the disk, and what has left memory under them since. Should another part come under such a name before
 * the record is written, what was held is not an earlier version of it, but something that was deleted. Of this owner's own deletions only.
 */

import { textOf } from './disk-key.ts';

/** One name. */
interface Waiting {
  /** Parts and versions that are on the way. */
  count: number;
  /** Version up to which what had the name has left. */
  leftVersion: number;
}

export class Departures {
  readonly #waiting = new Map<string, Waiting>();

  /** From when a part is held, under the pen. @returns to be called once, when it is written or given up */
  await(key: Uint8Array): () => void {
    const text = textOf(key);
    const waiting = this.#waiting.get(text) ?? { count: 0, leftVersion: 0 };
    waiting.count++;
    this.#waiting.set(text, waiting);
    return () => {
      if (--waiting.count === 0) this.#waiting.delete(text);
    };
  }

  /** A part leaves memory, in this version, and no successor has its name. */
  left(key: Uint8Array, version: number): void {
    const waiting = this.#waiting.size === 0 ? undefined : this.#waiting.get(textOf(key));
    if (waiting !== undefined) waiting.leftVersion = version;
  }

  /** Whether a version that is on the way is of a part that has left. */
  hasLeft(key: Uint8Array, version: number): boolean {
    return (this.#waiting.get(textOf(key))?.leftVersion ?? 0) >= version;
  }
}
