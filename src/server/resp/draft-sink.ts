/** Where large values go: straight into pool memory, or nowhere. */

import { fail } from '../../errors.ts';
import type { Caller } from '../../guard/api.ts';
import type { Draft } from '../../pool/api.ts';
import type { BulkSink } from './arguments.ts';
import { poolOf, type Session } from './session.ts';

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** A value that is refused: its bytes are read and dropped, so that the connection stays in step. */
export class RefusedSink implements BulkSink {
  readonly error: Error;

  constructor(error: unknown) {
    this.error = asError(error);
  }

  room(): undefined {}

  wrote(): void {}

  write(): void {}

  close(): void {}
}

/** A value on its way into the pool. */
export class DraftSink implements BulkSink {
  readonly sizeBytes: number;
  /** Why the value cannot be stored; it is dropped then. */
  error: Error | undefined;
  readonly #session: Session;
  readonly #caller: Caller;
  readonly #draft: Draft;
  #isOpen = true;

  /** @throws budget_exceeded, rate_limited, overloaded, pool_full, value_too_large, invalid_argument: nothing is held then */
  constructor(session: Session, caller: Caller, id: string, part: string, sizeBytes: number) {
    const { limits, traffic } = session.service;
    if (traffic.inFlightBytes + sizeBytes > limits.maxInFlightBytes) {
      const message = `too many values are being received; ${sizeBytes} bytes more do not fit`;
      fail('overloaded', message);
    }
    caller.begin(sizeBytes);
    try {
      this.#draft = poolOf(session).beginPut(id, part, sizeBytes);
    } catch (error) {
      caller.end(sizeBytes);
      throw error;
    }
    traffic.inFlightBytes += sizeBytes;
    this.#session = session;
    this.#caller = caller;
    this.sizeBytes = sizeBytes;
  }

  room(limitBytes: number): Uint8Array | undefined {
    return this.error === undefined ? this.#try(() => this.#draft.room(limitBytes)) : undefined;
  }

  wrote(sizeBytes: number): void {
    if (this.error === undefined) this.#try(() => this.#draft.wrote(sizeBytes));
  }

  write(chunk: Uint8Array): void {
    if (this.error === undefined) this.#try(() => this.#draft.write(chunk));
  }

  /**
   * Publishes what was received.
   * @throws what has gone wrong on the way; pool_full, invalid_argument for the time to live, version_conflict (it may be committed again)
   */
  commit(ttlMs: number | undefined, ifVersion: number | undefined): void {
    if (this.error !== undefined) throw this.error;
    this.#draft.commit(ttlMs, ifVersion);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#session.service.traffic.inFlightBytes -= this.sizeBytes;
    try {
      this.#draft.abort();
    } finally {
      this.#caller.end(this.sizeBytes);
    }
  }

  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.error = asError(error);
      return undefined;
    }
  }
}
