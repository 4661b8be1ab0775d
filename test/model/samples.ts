/** Random ids, values and options, all from one seeded generator. */

import type { ElementType, PartData, PutOptions } from '../../src/pool/api.ts';
import { Random } from '../../src/base/random.ts';
import { kinds } from '../../src/alloc/kind.ts';

const noiseBytes = 4 * 2 ** 20;

export interface Sample {
  readonly data: PartData;
  readonly bytes: Uint8Array;
  readonly elementType: ElementType;
}

type Constructor = new (
  buffer: ArrayBuffer,
  from: number,
  length: number,
) => Exclude<PartData, string>;

const arrays: readonly [ElementType, Constructor, number][] = [
  ['u8', Uint8Array, 1],
  ['u8c', Uint8ClampedArray, 1],
  ['i8', Int8Array, 1],
  ['u16', Uint16Array, 2],
  ['i16', Int16Array, 2],
  ['u32', Uint32Array, 4],
  ['i32', Int32Array, 4],
  ['f32', Float32Array, 4],
  ['f64', Float64Array, 8],
  ['u64', BigUint64Array, 8],
  ['i64', BigInt64Array, 8],
];

export class Samples {
  readonly random: Random;
  readonly ids: readonly string[];
  readonly parts: readonly string[];
  readonly tags: readonly string[] = ['doc-7', 'doc-8', 'ü', 't'.repeat(512), '\ufefftag'];
  readonly #noise: ArrayBuffer;
  readonly #smallShare: number;

  /** @param heavy values of some ten KiB are frequent: for pools that are to be full */
  constructor(seed: number, contexts: number, heavy: boolean) {
    this.#smallShare = heavy ? 650 : 850;
    this.random = new Random(seed);
    this.ids = Array.from({ length: contexts }, (_, n) => idNumber(n));
    this.parts = ['tokens', 'kv', 'embedding', 'é', 'p'.repeat(512)];
    this.#noise = new ArrayBuffer(noiseBytes);
    const words = new Int32Array(this.#noise);
    for (let i = 0; i < words.length; i++) words[i] = this.random.next() << 1;
  }

  below(bound: number): number {
    return this.random.below(bound);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** Mostly small, at times nothing, rarely up to `largestBytes`. */
  sizeBytes(largestBytes: number): number {
    const draw = this.below(1000);
    if (draw < 40) return 0;
    if (draw < this.#smallShare - 300) return this.below(300);
    if (draw < this.#smallShare) return this.below(5000);
    if (draw < 996) return this.below(100 * 1024);
    return Math.min(this.below(1.5 * 2 ** 20), largestBytes);
  }

  noise(sizeBytes: number): Uint8Array {
    const from = this.below((noiseBytes - sizeBytes) / 8) * 8;
    return new Uint8Array(this.#noise, from, sizeBytes);
  }

  /** A value of any element type. */
  value(largestBytes: number): Sample {
    const sizeBytes = this.sizeBytes(largestBytes);
    const choice = this.below(arrays.length + 2);
    const array = arrays[choice];
    if (array === undefined) return this.text(sizeBytes);
    return this.array(array[0], sizeBytes);
  }

  array(type: ElementType, sizeBytes: number): Sample {
    const [, make, width] = arrays.find(([name]) => name === type) as (typeof arrays)[number];
    const bytes = this.noise(Math.floor(sizeBytes / width) * width);
    const data = new make(this.#noise, bytes.byteOffset, bytes.length / width);
    return { data, bytes, elementType: type };
  }

  text(sizeBytes: number): Sample {
    const letters = ['a', 'ß', '字', '𝕏', '\ufeff', '\0'];
    let data = '';
    const count = Math.min(Math.ceil(sizeBytes / 2), 5000);
    for (let i = 0; i < count; i++) data += this.pick(letters);
    return { data, bytes: Buffer.from(data), elementType: 'utf8' };
  }

  /** A value that can be appended to a part of that type. */
  valueOf(type: ElementType, sizeBytes: number): Sample {
    return type === 'utf8' ? this.text(sizeBytes) : this.array(type, sizeBytes);
  }

  putOptions(pins: boolean): PutOptions {
    const options: { -readonly [K in keyof PutOptions]: PutOptions[K] } = {};
    if (this.oneIn(4)) options.kind = this.pick(kinds);
    if (this.oneIn(6)) options.ttlMs = 1 + this.below(20_000);
    if (this.oneIn(5)) options.tags = this.#some(this.tags);
    if (this.oneIn(12)) options.dependsOn = this.#some(this.ids.slice(0, 4));
    if (pins && this.oneIn(25)) options.pinned = true;
    if (this.oneIn(20)) options.sensitive = true;
    return options;
  }

  #some(choices: readonly string[]): string[] {
    return Array.from({ length: 1 + this.below(3) }, () => this.pick(choices));
  }
}

/** Prefixes of one another, several bytes per letter, as long as they may be, and one that begins with a byte order mark. */
function idNumber(n: number): string {
  if (n % 40 === 1) return `字${n}`.padEnd(170, '典');
  if (n % 40 === 2) return `\ufeff${n}`;
  if (n % 40 === 3) return `${n}`.padStart(512, '0');
  return n % 3 === 0 ? `chat-${n}` : `user:${n % 7}:chat-${n}`;
}
