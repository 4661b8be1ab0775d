/**
 * The memory of a thread's tensors: a part of the pool that is never finished, so that nobody else sees it, and that goes back when the thread ends, however
 * it ends.
 *
 * ```
 *   ┌──────────────┬──────────────┬─────┬──────────────────────────────────────────┐
 *   │ slot 0       │ slot 1       │  …  │ tensors of the batch: inputs, outputs    │      each at a multiple of 64 bytes
 *   └──────────────┴──────────────┴─────┴──────────────────────────────────────────┘
 *     state of the sequence that has the slot  ▲ mark: a batch begins here anew
 * ```
 */

import { fail } from '../../../errors.ts';
import type { Draft, Pool } from '../../../pool/api.ts';

const alignBytes = 64;

export function aligned(sizeBytes: number): number {
  return Math.ceil(sizeBytes / alignBytes) * alignBytes;
}

export class Arena {
  readonly #draft: Draft;
  readonly #memory: Uint8Array;
  #used = 0;
  #mark = 0;

  /** @throws pool_full, memory_unavailable */
  constructor(pool: Pool, sizeBytes: number) {
    this.#draft = pool.beginPut('onnx', 'tensors', sizeBytes, { kind: 'blob' });
    this.#memory = this.#draft.room(sizeBytes);
    if (this.#memory.length < sizeBytes)
      fail('pool_full', `There is no room for ${sizeBytes} bytes.`);
  }

  /** Bytes that nothing else has until the next `reset`; they hold anything. @throws value_too_large */
  take(sizeBytes: number): Uint8Array {
    const from = this.#used;
    if (from + sizeBytes > this.#memory.length) {
      const room = this.#memory.length - this.#mark;
      fail('value_too_large', `The tensors of a batch take more than the ${room} bytes there are.`);
    }
    this.#used = from + aligned(sizeBytes);
    return this.#memory.subarray(from, from + sizeBytes);
  }

  /** What has been taken so far stays. */
  keep(): void {
    this.#mark = this.#used;
  }

  /** All that was taken since `keep` is free. */
  reset(): void {
    this.#used = this.#mark;
  }

  close(): void {
    this.#draft.abort();
  }
}
