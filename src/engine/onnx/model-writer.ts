/**
 * Writes ONNX models: the part of their protobuf that a graph of plain operators takes.
 *
 * ```
 *   ModelProto   1 ir_version · 7 graph · 8 opset_import { 2 version }
 *   GraphProto   1 node* · 2 name · 5 initializer* · 11 input* · 12 output*
 *   NodeProto    1 input* · 2 output* · 4 op_type · 5 attribute*
 *   Attribute    1 name · 2 f · 3 i · 8 ints* · 20 type (1 float, 2 int, 7 ints)
 *   TensorProto  1 dims* · 2 data_type · 8 name · 9 raw_data
 *   ValueInfo    1 name · 2 { 1 { 1 elem_type · 2 { 1 { 1 dim_value | 2 dim_param }* } } }
 * ```
 *
 * Source: onnx.proto of ONNX 1.16 (IR version 8 and later; opset 17 has LayerNormalization).
 */

const irVersion = 8;
const opsetVersion = 17;

export type OnnxElement = 'float32' | 'int32' | 'int64';

/** TensorProto.DataType. */
const elementCodes: Readonly<Record<OnnxElement, number>> = { float32: 1, int32: 6, int64: 7 };

/** A tensor that is part of the model. */
export interface Initializer {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array;
}

/** A tensor that comes in or goes out; a text names a dimension that may be any. */
export interface GraphValue {
  readonly name: string;
  readonly element: OnnxElement;
  readonly dims: readonly (number | string)[];
}

/** Whole numbers are ints; a real number is said as `{ float }`. */
export type Attribute = number | readonly number[] | { readonly float: number };

export interface GraphNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly GraphNode[];
}

/** Pieces that are joined once, at the end: weights are not copied on the way. */
type Pieces = readonly Uint8Array[];

const utf8 = new TextEncoder();

/** A whole number as protobuf writes it: seven bits a byte, low ones first; a negative one as 64 bits. */
function varint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function numberField(field: number, value: number): Pieces {
  return [varint(field * 8), varint(value)];
}

function floatField(field: number, value: number): Pieces {
  return [varint(field * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)];
}

function message(field: number, pieces: Pieces): Pieces {
  const sizeBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  return [varint(field * 8 + 2), varint(sizeBytes), ...pieces];
}

function text(field: number, value: string): Pieces {
  return message(field, [utf8.encode(value)]);
}

function attribute(name: string, value: Attribute): Pieces {
  const named = text(1, name);
  if (typeof value === 'number') return [...named, ...numberField(3, value), ...numberField(20, 2)];
  if ('float' in value) return [...named, ...floatField(2, value.float), ...numberField(20, 1)];
  return [...named, ...value.flatMap((each) => numberField(8, each)), ...numberField(20, 7)];
}

function node({ op, inputs, outputs, attributes = {} }: GraphNode): Pieces {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) => message(5, attribute(name, value))),
  ];
}

function tensor({ name, dims, data }: Initializer): Pieces {
  const element =
    data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'int64';
  return [
    ...dims.flatMap((size) => numberField(1, size)),
    ...numberField(2, elementCodes[element]),
    ...text(8, name),
    ...message(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  ];
}

function valueInfo({ name, element, dims }: GraphValue): Pieces {
  const shape = dims.flatMap((size) =>
    message(1, typeof size === 'number' ? numberField(1, size) : text(2, size)),
  );
  const tensorType = [...numberField(1, elementCodes[element]), ...message(2, shape)];
  return [...text(1, name), ...message(2, message(1, tensorType))];
}

/** The bytes of an .onnx file. */
export function writeModel(graph: Graph): Uint8Array {
  const pieces = [
    ...numberField(1, irVersion),
    ...message(7, [
      ...graph.nodes.flatMap((each) => message(1, node(each))),
      ...text(2, graph.name),
      ...graph.initializers.flatMap((each) => message(5, tensor(each))),
      ...graph.inputs.flatMap((each) => message(11, valueInfo(each))),
      ...graph.outputs.flatMap((each) => message(12, valueInfo(each))),
    ]),
    ...message(8, numberField(2, opsetVersion)),
  ];
  return new Uint8Array(Buffer.concat(pieces));
}
