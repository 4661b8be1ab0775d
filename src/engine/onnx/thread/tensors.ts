/** Tensors over bytes of the pool. */

import { fail } from '../../../errors.ts';
import { datatypes, type Datatype, type TensorInfo } from '../api.ts';
import type { OrtMetadata, TensorData } from './runtime.ts';

type View = new (buffer: ArrayBuffer, from: number, length: number) => TensorData;

const views: Readonly<Record<Exclude<Datatype, 'BYTES'>, View>> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The bytes as the runtime wants them: a view of its element type on the same memory. */
export function viewOf(datatype: Datatype, bytes: Uint8Array): TensorData {
  if (datatype === 'BYTES')
    fail('engine_model_invalid', 'Tensors of texts have no place in memory.');
  const { sizeBytes } = datatypes[datatype];
  const buffer = bytes.buffer as ArrayBuffer;
  return new views[datatype](buffer, bytes.byteOffset, bytes.byteLength / sizeBytes);
}

export function bytesOf({ buffer, byteOffset, byteLength }: TensorData): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What the file says of a tensor, and what is known beyond. @throws engine_model_invalid for what is not done here */
export function infoOf(
  { name, isTensor, type, shape = [] }: OrtMetadata,
  known?: readonly number[],
): TensorInfo {
  const found = Object.entries(datatypes).find(([, { element }]) => element === type)?.[0];
  if (!isTensor || found === undefined || found === 'BYTES')
    fail('engine_model_invalid', `${name} is of type ${type ?? 'other than tensor'}.`);
  const told = shape.map((size) => (typeof size === 'number' && size >= 0 ? size : -1));
  const fits =
    known === undefined ||
    (known.length === told.length && told.every((size, i) => size < 0 || size === known[i]));
  if (!fits) fail('engine_model_invalid', `The file says ${told.join('×')} of ${name}.`);
  return { name, datatype: found as Datatype, shape: known ?? told };
}
