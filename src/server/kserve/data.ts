/** Data of tensors, between JSON and bytes. */

import { datatypes, type Datatype, type TensorInfo } from '../../engine/onnx/api.ts';
import { bytesOfTexts, textsOf } from '../../engine/onnx/texts.ts';
import { fail } from '../../errors.ts';
import { show } from '../http/schema.ts';

const rankMax = 8;
/** Elements of a tensor: more fit no body. */
const elementsMax = 2 ** 28;

/** @throws invalid_argument unless it is a shape that the tensor may have */
export function checkShape(
  value: unknown,
  { name, shape: expected }: TensorInfo,
): readonly number[] {
  const isRight =
    Array.isArray(value) &&
    value.length <= rankMax &&
    value.every((size) => Number.isInteger(size) && size > 0 && size <= elementsMax);
  if (!isRight)
    fail('invalid_argument', `The shape of ${name} is a list of sizes from 1; got ${show(value)}.`);
  const shape = value as readonly number[];
  const fits =
    shape.length === expected.length &&
    shape.every((size, i) => expected[i] === -1 || size === expected[i]);
  if (!fits)
    fail(
      'invalid_argument',
      `unexpected shape for input '${name}': expected [${expected.join(',')}], got [${shape.join(',')}]`,
    );
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements > elementsMax) fail('invalid_argument', `${name} has ${elements} elements.`);
  return shape;
}

/** @throws invalid_argument unless the bytes are as many elements as the shape says */
export function checkBytes(bytes: Uint8Array, shape: readonly number[], info: TensorInfo): void {
  const { name, datatype } = info;
  const elements = shape.reduce((product, size) => product * size, 1);
  const { sizeBytes } = datatypes[datatype];
  const has = datatype === 'BYTES' ? textsOf(bytes).length : bytes.length / sizeBytes;
  if (has !== elements)
    fail(
      'invalid_argument',
      `${name} of shape [${shape.join(',')}] has ${elements} elements; got ${has}.`,
    );
  if (datatype === 'BOOL' && bytes.some((byte) => byte > 1))
    fail('invalid_argument', `${name} is of datatype BOOL: its bytes are 0 and 1.`);
}

type Write = (view: DataView, at: number, value: number) => void;

interface NumberType {
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
  readonly write: Write;
}

function whole(bits: number, isSigned: boolean, write: Write): NumberType {
  const max = 2 ** (isSigned ? bits - 1 : bits) - 1;
  return { min: isSigned ? -max - 1 : 0, max, isWhole: true, write };
}

/** Of 64 bits JSON carries 53 exactly; others come as bytes. */
const { MAX_SAFE_INTEGER: safe } = Number;

const numberTypes: Readonly<Record<Exclude<Datatype, 'BOOL' | 'BYTES' | 'FP16'>, NumberType>> = {
  UINT8: whole(8, false, (view, at, value) => view.setUint8(at, value)),
  UINT16: whole(16, false, (view, at, value) => view.setUint16(at, value, true)),
  UINT32: whole(32, false, (view, at, value) => view.setUint32(at, value, true)),
  UINT64: {
    min: 0,
    max: safe,
    isWhole: true,
    write: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  },
  INT8: whole(8, true, (view, at, value) => view.setInt8(at, value)),
  INT16: whole(16, true, (view, at, value) => view.setInt16(at, value, true)),
  INT32: whole(32, true, (view, at, value) => view.setInt32(at, value, true)),
  INT64: {
    min: -safe,
    max: safe,
    isWhole: true,
    write: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  },
  FP32: {
    min: -3.402_823_466_385_288_6e38,
    max: 3.402_823_466_385_288_6e38,
    isWhole: false,
    write: (view, at, value) => view.setFloat32(at, value, true),
  },
  FP64: {
    min: -Number.MAX_VALUE,
    max: Number.MAX_VALUE,
    isWhole: false,
    write: (view, at, value) => view.setFloat64(at, value, true),
  },
};

/** The elements of `data`, nested as the shape or not at all, as bytes. @throws invalid_argument */
export function bytesOfData(data: unknown, shape: readonly number[], info: TensorInfo): Uint8Array {
  const { name, datatype } = info;
  const elements = shape.reduce((product, size) => product * size, 1);
  const flat = flatten(data, shape.length);
  if (flat?.length !== elements)
    fail(
      'invalid_argument',
      `${name} of shape [${shape.join(',')}] has ${elements} elements; got ${flat?.length ?? show(data)}.`,
    );
  if (datatype === 'BYTES') {
    const bad = flat.find((value) => typeof value !== 'string');
    if (bad !== undefined) fail('invalid_argument', `${name} is of texts; got ${show(bad)}.`);
    return bytesOfTexts(flat.map((value) => Buffer.from(value as string)));
  }
  if (datatype === 'FP16')
    fail('invalid_argument', `${name} is of datatype FP16, which JSON does not carry: send bytes.`);
  if (datatype === 'BOOL')
    return Uint8Array.from(flat, (value) => {
      if (typeof value === 'boolean') return Number(value);
      return fail('invalid_argument', `${name} is of true and false; got ${show(value)}.`);
    });
  return bytesOfNumbers(flat, numberTypes[datatype], info);
}

function bytesOfNumbers(
  flat: readonly unknown[],
  { min, max, isWhole, write }: NumberType,
  { name, datatype }: TensorInfo,
): Uint8Array {
  const { sizeBytes } = datatypes[datatype];
  const bytes = new Uint8Array(flat.length * sizeBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of flat.entries()) {
    const isRight =
      typeof value === 'number' &&
      value >= min &&
      value <= max &&
      (!isWhole || Number.isInteger(value));
    if (!isRight)
      fail('invalid_argument', `${name} is of datatype ${datatype}; got ${show(value)}.`);
    write(view, index * sizeBytes, value);
  }
  return bytes;
}

/** Undefined where it is nested otherwise than a tensor of that rank: lists of equal lengths are not looked for, their sum is. */
function flatten(data: unknown, rank: number): readonly unknown[] | undefined {
  if (!Array.isArray(data)) return rank === 0 ? [data] : undefined;
  let flat: readonly unknown[] = data;
  for (let depth = 1; depth < rank && flat.some((each) => Array.isArray(each)); depth++)
    flat = flat.flat(1);
  return flat;
}

/** The elements of an output, as the text of a list: whole numbers of 64 bits keep their digits. @throws invalid_argument for FP16 */
export function jsonOfBytes(datatype: Datatype, bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  const length = byteLength / (datatypes[datatype].sizeBytes || 1);
  const at = [buffer as ArrayBuffer, byteOffset, length] as const;
  switch (datatype) {
    case 'BYTES':
      return JSON.stringify(textsOf(bytes).map((text) => Buffer.from(text).toString('utf8')));
    case 'FP16':
      return fail('invalid_argument', 'JSON does not carry FP16: ask for binary_data.');
    case 'BOOL':
      return JSON.stringify(Array.from(bytes, (byte) => byte !== 0));
    case 'UINT8':
      return listOf(bytes);
    case 'UINT16':
      return listOf(new Uint16Array(...at));
    case 'UINT32':
      return listOf(new Uint32Array(...at));
    case 'UINT64':
      return listOf(new BigUint64Array(...at));
    case 'INT8':
      return listOf(new Int8Array(...at));
    case 'INT16':
      return listOf(new Int16Array(...at));
    case 'INT32':
      return listOf(new Int32Array(...at));
    case 'INT64':
      return listOf(new BigInt64Array(...at));
    case 'FP32':
      return JSON.stringify([...new Float32Array(...at)]);
    case 'FP64':
      return JSON.stringify([...new Float64Array(...at)]);
  }
}

function listOf(values: { join(separator: string): string }): string {
  return `[${values.join(',')}]`;
}
