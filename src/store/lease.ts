import { kinds, type KindName } from '../alloc/kind.ts';
import { decodeUtf8 } from '../base/utf8.ts';
import { fail } from '../errors.ts';
import type { Ref } from '../memory/region.ts';
import { peek, type Words } from '../memory/words.ts';
import { elementTypes, type ElementType, type PartView } from './element.ts';
import { field, trait } from './entry.ts';
import type { Store } from './store.ts';

/** A read lease: see `Lease` in pool/api.ts. */
export class LeaseView {
  readonly sizeBytes: number;
  readonly #store: Store;
  readonly #entry: Ref;
  readonly #traits: number;
  readonly #generationLow: number;
  readonly #generationHigh: number;
  readonly #selector: number;
  readonly #view: PartView;
  #released = false;

  /** @param words of the segment that has the entry, at `at` */
  constructor(
    store: Store,
    entry: Ref,
    words: Words,
    at: number,
    selector: number,
    sizeBytes: number,
    view: PartView,
  ) {
    this.#store = store;
    this.#entry = entry;
    this.#traits = peek(words, at + field.traits);
    this.#generationLow = peek(words, at + field.generationLow);
    this.#generationHigh = peek(words, at + field.generationHigh);
    this.#selector = selector;
    this.sizeBytes = sizeBytes;
    this.#view = view;
  }

  get data(): PartView {
    if (this.#released) released(this.version);
    return this.#view;
  }

  /** Put together when asked for: a number above 2^31 would cost every get an allocation. */
  get version(): number {
    const high = (this.#generationHigh >>> 0) * 0x1_0000_0000;
    return high + (this.#generationLow >>> 0) + (this.#selector >>> 1);
  }

  get kind(): KindName {
    return kinds[this.#traits & trait.kindMask] as KindName;
  }

  get elementType(): ElementType {
    return elementTypes[(this.#traits >>> trait.elementShift) & trait.elementMask] as ElementType;
  }

  /** Decodes a copy: shared memory cannot be decoded in place. */
  text(): string {
    const { data } = this;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return decodeUtf8(data.buffer instanceof ArrayBuffer ? bytes : bytes.slice());
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#store.drop(this.#entry);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function released(version: number): never {
  fail('lease_released', `The lease on version ${version} was released.`);
}
