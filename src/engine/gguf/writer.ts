/**
 * Writes GGUF version 3, the file format of llama.cpp's models (little endian):
 * ```
 *  ┌────────┬───────────┬─────────────┬───────────────┬──────────────────────────────────────────────────────┐
 *  │ "GGUF" │ version 3 │ tensors u64 │ metadata u64  │ metadata: name, type u32, value                      │
 *  ├────────┴───────────┴─────────────┴───────────────┴──────────────────────────────────────────────────────┤
 *  │ tensors: name, dimensions u32, length of each u64, type u32, offset u64 from the first byte of data      │
 *  ├──────────────────────────────────────────────────────────────────────────────────────────────────────────┤
 *  │ zeros up to a multiple of 32 · data of each tensor, followed by zeros up to a multiple of 32             │
 *  └──────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *  name, string: length u64, UTF-8
 * ```
 * Source: ggml, docs/gguf.md.
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import { toHalves } from './half.ts';

const version = 3;
const alignmentBytes = 32;

/** Types of metadata, as the format numbers them. */
const valueTypes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const tensorTypes = { f32: 0, f16: 1 } as const;

export type TensorType = keyof typeof tensorTypes;

export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly f32s: readonly number[] }
  | { readonly i32s: readonly number[] };

export type GgufMetadata = Readonly<Record<string, GgufValue>>;

export interface GgufTensor {
  readonly name: string;
  /** Lengths, the one that lies closest together first. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Makes the elements when it is their turn to be written, so that only one tensor is in memory. */
  readonly values: () => Float32Array;
}

/** Bytes of the file in front of the data. */
class Head {
  readonly #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  u32(value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.#push(bytes);
  }

  i32(value: number): void {
    this.u32(value >>> 0);
  }

  u64(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    this.#push(bytes);
  }

  f32(value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
  }

  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    this.#push(bytes);
  }

  byte(value: number): void {
    this.#push(Uint8Array.of(value));
  }

  array<T>(type: number, items: readonly T[], write: (item: T) => void): void {
    this.u32(valueTypes.array);
    this.u32(type);
    this.u64(items.length);
    for (const item of items) write(item);
  }

  /** All of it, with zeros up to the alignment. */
  bytes(): Uint8Array {
    const all = new Uint8Array(aligned(this.#sizeBytes));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#sizeBytes += bytes.length;
  }
}

function aligned(sizeBytes: number): number {
  return Math.ceil(sizeBytes / alignmentBytes) * alignmentBytes;
}

function elementCount(tensor: GgufTensor): number {
  return tensor.shape.reduce((product, length) => product * length, 1);
}

function tensorBytes(tensor: GgufTensor): number {
  return elementCount(tensor) * (tensor.type === 'f16' ? 2 : 4);
}

function writeValue(head: Head, value: GgufValue): void {
  if ('u32' in value) {
    head.u32(valueTypes.u32);
    head.u32(value.u32);
  } else if ('f32' in value) {
    head.u32(valueTypes.f32);
    head.f32(value.f32);
  } else if ('bool' in value) {
    head.u32(valueTypes.bool);
    head.byte(value.bool ? 1 : 0);
  } else if ('string' in value) {
    head.u32(valueTypes.string);
    head.text(value.string);
  } else if ('strings' in value) {
    head.array(valueTypes.string, value.strings, (item) => head.text(item));
  } else if ('f32s' in value) {
    head.array(valueTypes.f32, value.f32s, (item) => head.f32(item));
  } else {
    head.array(valueTypes.i32, value.i32s, (item) => head.i32(item));
  }
}

/** Everything in front of the data. */
function headOf(metadata: GgufMetadata, tensors: readonly GgufTensor[]): Uint8Array {
  const head = new Head();
  for (const letter of 'GGUF') head.byte(letter.charCodeAt(0));
  head.u32(version);
  head.u64(tensors.length);
  const entries = Object.entries(metadata);
  head.u64(entries.length);
  for (const [name, value] of entries) {
    head.text(name);
    writeValue(head, value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    head.text(tensor.name);
    head.u32(tensor.shape.length);
    for (const length of tensor.shape) head.u64(length);
    head.u32(tensorTypes[tensor.type]);
    head.u64(offset);
    offset += aligned(tensorBytes(tensor));
  }
  return head.bytes();
}

/** The elements as they stand in the file, with zeros up to the alignment. */
function dataOf(tensor: GgufTensor): Uint8Array {
  const values = tensor.values();
  if (values.length !== elementCount(tensor)) {
    throw new RangeError(
      `${tensor.name} has ${values.length} elements, its shape ${elementCount(tensor)}`,
    );
  }
  const elements = tensor.type === 'f16' ? toHalves(values) : values;
  const data = new Uint8Array(aligned(elements.byteLength));
  data.set(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
  return data;
}

/** Writes a model file, one tensor after the other. @throws errors of node:fs; RangeError for a tensor of another size than its shape */
export function writeGguf(
  file: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensor[],
): void {
  const fd = openSync(file, 'w');
  try {
    writeAll(fd, headOf(metadata, tensors));
    for (const tensor of tensors) writeAll(fd, dataOf(tensor));
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}
