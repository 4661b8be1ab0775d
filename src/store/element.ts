/** Element types: codes in the entry, bytes per element, and the views that show them. */

import { show } from '../base/show.ts';
import { fail } from '../errors.ts';
import { kindOf, type Kind } from '../alloc/kind.ts';

/** Element types of a part, as in `?type=` of the HTTP API; the index is the code in the entry. */
export const elementTypes = [
  'u8',
  'u8c',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'f64',
  'u64',
  'i64',
  'utf8',
] as const;
export type ElementType = (typeof elementTypes)[number];

/** What a lease shows. utf8 parts show as Uint8Array. */
export type PartView =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** What a part can be written from. Strings are stored as UTF-8 with element type utf8. */
export type PartData = PartView | string;

const elementBytes = [1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 1] as const;
const utf8 = elementTypes.indexOf('utf8');

export function bytesPerElement(code: number): number {
  return elementBytes[code] as number;
}

export function elementCode(type: ElementType): number {
  const code = elementTypes.indexOf(type);
  if (code < 0) {
    fail(
      'invalid_argument',
      `Unknown element type ${show(type)}; one of ${elementTypes.join(', ')}.`,
    );
  }
  return code;
}

/** Code of the array that `data` is. @throws invalid_argument */
export function elementCodeOf(data: PartData): number {
  if (typeof data === 'string') return utf8;
  if (data instanceof Uint8Array) return 0;
  if (data instanceof Uint32Array) return 5;
  if (data instanceof Float32Array) return 7;
  if (data instanceof Float64Array) return 8;
  if (data instanceof Uint8ClampedArray) return 1;
  if (data instanceof Int8Array) return 2;
  if (data instanceof Uint16Array) return 3;
  if (data instanceof Int16Array) return 4;
  if (data instanceof Int32Array) return 6;
  if (data instanceof BigUint64Array) return 9;
  if (data instanceof BigInt64Array) return 10;
  return rejectData(data);
}

function rejectData(data: unknown): never {
  return fail(
    'invalid_argument',
    `A part is written from a typed array or a string; got ${show(data)}.`,
  );
}

/** Kind of a part when none is asked for. */
export function defaultKind(code: number): Kind {
  const type = elementTypes[code];
  if (type === 'u32') return kindOf('tokens');
  if (type === 'f32' || type === 'f64') return kindOf('embedding');
  return type === 'utf8' ? kindOf('metadata') : kindOf('blob');
}

/** A view of `sizeBytes` from `byteOffset`, in elements. */
export function viewOf(
  code: number,
  buffer: ArrayBufferLike,
  byteOffset: number,
  sizeBytes: number,
): PartView {
  switch (code) {
    case 5:
      return new Uint32Array(buffer, byteOffset, sizeBytes >>> 2);
    case 7:
      return new Float32Array(buffer, byteOffset, sizeBytes >>> 2);
    case 8:
      return new Float64Array(buffer, byteOffset, sizeBytes >>> 3);
    case 1:
      return new Uint8ClampedArray(buffer, byteOffset, sizeBytes);
    case 2:
      return new Int8Array(buffer, byteOffset, sizeBytes);
    case 3:
      return new Uint16Array(buffer, byteOffset, sizeBytes >>> 1);
    case 4:
      return new Int16Array(buffer, byteOffset, sizeBytes >>> 1);
    case 6:
      return new Int32Array(buffer, byteOffset, sizeBytes >>> 2);
    case 9:
      return new BigUint64Array(buffer, byteOffset, sizeBytes >>> 3);
    case 10:
      return new BigInt64Array(buffer, byteOffset, sizeBytes >>> 3);
    default:
      return new Uint8Array(buffer, byteOffset, sizeBytes);
  }
}

const encoder = new TextEncoder();

/** The bytes of `data`, without a copy for arrays. @throws invalid_argument for anything else, and for text with lone surrogates */
export function bytesOf(data: PartData): Uint8Array {
  if (typeof data !== 'string') {
    // Not what only looks like one: an object of the same prototype, a proxy.
    if (!ArrayBuffer.isView(data)) rejectData(data);
    if (data.byteLength === 0) assertAttached(data);
    return data instanceof Uint8Array
      ? data
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (!data.isWellFormed())
    fail('invalid_argument', 'The text has a lone surrogate: it is not UTF-8.');
  return encoder.encode(data);
}

/** An array without elements may have lost them with its buffer: nothing can be made of a detached one. */
function assertAttached(data: ArrayBufferView): void {
  try {
    void new Uint8Array(data.buffer, 0, 0);
  } catch (cause) {
    fail(
      'invalid_argument',
      'The buffer of the array was detached: it was transferred elsewhere.',
      cause,
    );
  }
}
