/** A part being streamed straight into pool memory, invisible until commit. */

import { fail, hasCode } from '../errors.ts';
import { copyTargetOf } from '../memory/region.ts';
import { copyInto } from '../memory/words.ts';
import { byteOf, segmentOf } from './entry.ts';
import {
  freePayload,
  type PartSpec,
  type Payload,
  reserveFree,
  reservePayload,
} from './publish.ts';
import { checkBefore, publishPut } from './put.ts';
import { assertWhole, checksumOfCopy } from './payload.ts';
import type { Store } from './store.ts';

/** A draft that outgrows its block gets one this much larger than needed. */
const growthFactor = 1.5;
/** At commit a block with more unused than this share is exchanged for a fitting one. */
const slackShare = 0.25;

const closedMessage = 'This draft was committed or aborted.';
const noRoom: Uint8Array = new Uint8Array(0);

export class PartDraft {
  readonly #store: Store;
  readonly #id: string;
  readonly #part: string;
  readonly #spec: PartSpec;
  #payload: Payload;
  #open = true;
  #crc = 0;
  #sizeBytes = 0;

  /** @throws value_too_large, pool_full, invalid_argument, version_conflict */
  constructor(store: Store, id: string, part: string, spec: PartSpec, reserveBytes: number) {
    this.#store = store;
    this.#id = id;
    this.#part = part;
    this.#spec = spec;
    store.key.set(id, part);
    checkBefore(store, spec);
    this.#payload = this.#reserve(reserveBytes, reserveBytes);
    store.drafts.add(this);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Memory that it has and that is no part yet. */
  get reservedBytes(): number {
    return this.#payload.blockBytes;
  }

  write(chunk: Uint8Array): void {
    if (!this.#open) fail('invalid_argument', closedMessage);
    const sizeBytes = this.#sizeBytes + chunk.length;
    if (sizeBytes > this.#payload.blockBytes) this.#grow(sizeBytes);
    const { ref } = this.#payload;
    if (ref === 0) return;
    const bytes = copyTargetOf(segmentOf(this.#store.region, ref));
    const to = byteOf(this.#store.region, ref) + this.#sizeBytes;
    copyInto(bytes, to, chunk);
    if (this.#store.options.checksums) this.#crc = checksumOfCopy(chunk, bytes, to, this.#crc);
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Up to `limitBytes` of the memory that comes next, for something that writes in place; `wrote` then says how much it has written.
   * Empty where the reservation is full.
   */
  room(limitBytes: number): Uint8Array {
    if (!this.#open) fail('invalid_argument', closedMessage);
    const { ref, blockBytes } = this.#payload;
    const sizeBytes = Math.min(limitBytes, blockBytes - this.#sizeBytes);
    if (ref === 0 || sizeBytes <= 0) return noRoom;
    const { bytes } = segmentOf(this.#store.region, ref);
    const from = byteOf(this.#store.region, ref) + this.#sizeBytes;
    return bytes.subarray(from, from + sizeBytes);
  }

  wrote(sizeBytes: number): void {
    if (!this.#open) fail('invalid_argument', closedMessage);
    const { ref, blockBytes } = this.#payload;
    if (!(sizeBytes >= 0 && sizeBytes <= blockBytes - this.#sizeBytes)) {
      fail('invalid_argument', `The draft has no room for the ${sizeBytes} bytes it is told of.`);
    }
    if (ref === 0) return;
    if (this.#store.options.checksums) {
      const bytes = copyTargetOf(segmentOf(this.#store.region, ref));
      const from = byteOf(this.#store.region, ref) + this.#sizeBytes;
      this.#crc = checksumOfCopy(bytes.subarray(from, from + sizeBytes), bytes, from, this.#crc);
    }
    this.#sizeBytes += sizeBytes;
  }

  /** @param expiresAtMs in place of what it began with; `ifVersion` likewise */
  commit(expiresAtMs: number = this.#spec.expiresAtMs, ifVersion?: number): number {
    if (!this.#open) fail('invalid_argument', closedMessage);
    const store = this.#store;
    const spec = { ...this.#spec, expiresAtMs, ifVersion: ifVersion ?? this.#spec.ifVersion };
    try {
      assertWhole(this.#sizeBytes, this.#spec.element);
      this.#trim();
      store.key.set(this.#id, this.#part);
      const payload = this.#payload;
      payload.sizeBytes = this.#sizeBytes;
      payload.crc32 = store.options.checksums ? this.#crc : undefined;
      const version = publishPut(store, spec, payload);
      this.#finish();
      return version;
    } catch (error) {
      // Who names the version only now can look again, and has the bytes nowhere else.
      if (ifVersion === undefined || !hasCode(error, 'version_conflict')) this.abort();
      throw error;
    }
  }

  abort(): void {
    if (!this.#open) return;
    this.#finish();
    if (!this.#store.closed) freePayload(this.#store, this.#spec, this.#payload);
  }

  #finish(): void {
    this.#open = false;
    this.#store.drafts.delete(this);
  }

  #grow(sizeBytes: number): void {
    const { maxPartBytes } = this.#store;
    try {
      const wanted = Math.max(sizeBytes, Math.ceil(sizeBytes * growthFactor));
      const preferred = Math.min(wanted, Math.max(sizeBytes, maxPartBytes));
      this.#exchange(this.#reserve(sizeBytes, preferred));
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Gives unused room back where that is worth a copy and another block, as a rule a smaller one, is free: nothing is evicted to save memory. */
  #trim(): void {
    const { blockBytes, ref } = this.#payload;
    if (ref === 0 || this.#sizeBytes >= blockBytes * (1 - slackShare)) return;
    const smaller = reserveFree(this.#store, this.#spec.kind, this.#sizeBytes);
    if (smaller !== undefined) this.#exchange(smaller);
  }

  /** @throws value_too_large, budget_exceeded, pool_full */
  #reserve(sizeBytes: number, preferredBytes: number): Payload {
    const store = this.#store;
    store.key.set(this.#id, this.#part); // the part that this one will replace is spared by eviction
    return reservePayload(store, this.#spec.kind, sizeBytes, preferredBytes);
  }

  #exchange(fresh: Payload): void {
    const store = this.#store;
    const old = this.#payload;
    if (old.ref !== 0 && fresh.ref !== 0) {
      const source = segmentOf(store.region, old.ref).bytes;
      const from = byteOf(store.region, old.ref);
      const target = copyTargetOf(segmentOf(store.region, fresh.ref));
      const written = source.subarray(from, from + this.#sizeBytes);
      copyInto(target, byteOf(store.region, fresh.ref), written);
    }
    this.#payload = fresh;
    freePayload(store, this.#spec, old);
  }
}
