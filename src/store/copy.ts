/** Parts for onlookers: nobody knows that they look, so no lease protects what they see. They get copies, verified. */

import type { KindName } from '../alloc/kind.ts';
import { crc32 } from '../base/checksum.ts';
import { decodeUtf8 } from '../base/utf8.ts';
import { fail } from '../errors.ts';
import type { PartRecord } from './contexts.ts';
import { elementCode, type ElementType, type PartView, viewOf } from './element.ts';
import { segmentOf, wordOf } from './entry.ts';
import { bytesOfEntry } from './payload.ts';
import { lookAt } from './stable.ts';
import type { Store } from './store.ts';

/** A part as it was at one moment. See `Lease` in pool/api.ts. */
export class CopiedLease {
  readonly version: number;
  readonly kind: KindName;
  readonly elementType: ElementType;
  readonly sizeBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: PartView;
  #released = false;

  constructor(record: Pick<PartRecord, 'version' | 'kind' | 'elementType'>, bytes: Uint8Array) {
    this.version = record.version;
    this.kind = record.kind;
    this.elementType = record.elementType;
    this.sizeBytes = bytes.length;
    this.#bytes = bytes;
    this.#view = viewOf(elementCode(record.elementType), bytes.buffer, 0, bytes.length);
  }

  get data(): PartView {
    this.#mustHold();
    return this.#view;
  }

  text(): string {
    this.#mustHold();
    return decodeUtf8(this.#bytes);
  }

  release(): void {
    this.#released = true;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #mustHold(): void {
    if (this.#released)
      fail('lease_released', `The lease on version ${this.version} was released.`);
  }
}

/** A copy of the part of that name, or undefined when there is none. Writes nothing. @throws part_corrupt, pool_busy */
export function copyNamed(store: Store, id: string, part: string): CopiedLease | undefined {
  return lookAt(store, id, part, (ref, record) => {
    const { words } = segmentOf(store.region, ref);
    const bytes = bytesOfEntry(store.region, words, wordOf(store.region, ref)).slice();
    if (record.crc32 !== undefined && record.crc32 !== crc32(bytes) >>> 0) {
      fail('part_corrupt', `Version ${record.version} does not match its checksum.`);
    }
    return new CopiedLease(record, bytes);
  });
}
