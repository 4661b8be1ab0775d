/**
 * Requests to models, as KServe has them: JSON, and behind it perhaps the bytes of tensors.
 *
 * ```
 *   { id, parameters, inputs: [{ name, datatype, shape, data | parameters.binary_data_size }], outputs }  │ bytes of the first │ of the second │ …
 *   └───────────────────── Inference-Header-Content-Length ────────────────────────────────────────────┘
 * ```
 *
 * Everything is looked at before the model sees anything.
 */

import type { InferModel, InferOptions, TensorInfo, TensorValue } from '../../engine/onnx/api.ts';
import { fail } from '../../errors.ts';
import { booleanOf, integerOf, readFields, textOf, type Fields } from '../chat/fields.ts';
import { decodeText, parseJson } from '../http/body.ts';
import { show } from '../http/schema.ts';
import { bytesOfData, checkBytes, checkShape } from './data.ts';

/** An output as it is asked for. */
export interface AskedOutput {
  readonly name: string;
  readonly isBinary: boolean;
}

export interface InferRequest {
  readonly id: string | undefined;
  /** In the order of the model's. */
  readonly inputs: readonly TensorValue[];
  readonly outputs: readonly AskedOutput[];
  readonly options: Pick<InferOptions, 'sequence' | 'priority' | 'queueTimeoutMs'>;
  /** The parameters of a sequence, which the answer repeats. */
  readonly sequence: Readonly<Record<string, unknown>> | undefined;
}

const listMax = 64;
const counts = { min: 0, max: Number.MAX_SAFE_INTEGER };
const microsecondsPerMs = 1000;

/** @param headerBytes where the JSON ends; undefined: it is all. @throws invalid_argument */
export function readInferRequest(
  body: Uint8Array,
  headerBytes: number | undefined,
  model: InferModel,
): InferRequest {
  const end = headerBytes ?? body.length;
  if (end > body.length)
    fail('invalid_argument', `The JSON is said to have ${end} of ${body.length} bytes.`);
  const text = quoteLargeIds(decodeText(body.subarray(0, end)));
  const fields = readFields(parseJson(text), 'The body');
  const parameters = readFields(fields['parameters'] ?? {}, 'parameters');
  return {
    id: textOf(fields, 'id'),
    inputs: readInputs(fields['inputs'], body.subarray(end), model),
    outputs: readOutputs(fields['outputs'], parameters, model),
    ...readOptions(parameters, model),
  };
}

/** Ids have 64 bits, of which a number of JSON keeps 53: two sequences would become one. */
function quoteLargeIds(text: string): string {
  return text.replaceAll(/("sequence_id"\s*:\s*)(\d{16,})(?=\s*[,}])/g, '$1"$2"');
}

function readOptions(
  parameters: Fields,
  { name, isSequence }: InferModel,
): Pick<InferRequest, 'options' | 'sequence'> {
  const priority = integerOf(parameters, 'priority', { min: 0, max: 2 ** 32 });
  const timeout = integerOf(parameters, 'timeout', counts);
  const queueTimeoutMs =
    timeout === undefined || timeout === 0 ? undefined : timeout / microsecondsPerMs;
  const start = booleanOf(parameters, 'sequence_start') ?? false;
  const end = booleanOf(parameters, 'sequence_end') ?? false;
  const { sequence_id: given } = parameters;
  const id = sequenceId(given);
  const common = {
    ...(priority !== undefined && { priority }),
    ...(queueTimeoutMs !== undefined && { queueTimeoutMs }),
  };
  if (!isSequence) return { options: common, sequence: undefined };
  if (id === undefined)
    fail(
      'invalid_argument',
      `inference request to model '${name}' must specify a non-zero or non-empty correlation ID`,
    );
  const sequence = { sequence_id: given, sequence_start: start, sequence_end: end };
  return { options: { ...common, sequence: { id, start, end } }, sequence };
}

/** Numbers and texts are different ids, as in Triton. Undefined: there is none. */
function sequenceId(given: unknown): string | undefined {
  if (given === undefined || given === null || given === 0 || given === '') return undefined;
  if (typeof given === 'string') {
    if (given.length > 128) fail('invalid_argument', 'A sequence_id has at most 128 characters.');
    return `text:${given}`;
  }
  if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < 0)
    fail('invalid_argument', `sequence_id is a whole number or a text; got ${show(given)}.`);
  return `number:${given}`;
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= listMax) return value;
  return fail(
    'invalid_argument',
    `${what} must be a list of at most ${listMax}; got ${show(value)}.`,
  );
}

function readInputs(
  value: unknown,
  bytes: Uint8Array,
  { name: model, inputs: expected }: InferModel,
): readonly TensorValue[] {
  const list = listOf(value, 'inputs');
  if (list.length !== expected.length)
    fail(
      'invalid_argument',
      `expected ${expected.length} inputs but got ${list.length} inputs for model '${model}'`,
    );
  const found = new Map<string, TensorValue>();
  let used = 0;
  for (const each of list) {
    const fields = readFields(each, 'An input');
    const name = textOf(fields, 'name');
    const info = expected.find((candidate) => candidate.name === name);
    if (info === undefined)
      fail('invalid_argument', `unexpected inference input ${show(name)} for model '${model}'`);
    if (found.has(info.name)) fail('invalid_argument', `Input ${info.name} is given twice.`);
    const tensor = readInput(fields, info, bytes.subarray(used));
    used += tensor.binaryBytes;
    found.set(info.name, tensor.value);
  }
  if (used !== bytes.length)
    fail('invalid_argument', `Inputs take ${used} of the ${bytes.length} bytes behind the JSON.`);
  return expected.map(({ name }) => found.get(name) as TensorValue);
}

/** @param bytes what no input before it has taken */
function readInput(
  fields: Fields,
  info: TensorInfo,
  bytes: Uint8Array,
): { readonly value: TensorValue; readonly binaryBytes: number } {
  const { name, datatype } = info;
  const given = textOf(fields, 'datatype');
  if (given !== datatype)
    fail('invalid_argument', `Input ${name} is of datatype ${datatype}; got ${show(given)}.`);
  const shape = checkShape(fields['shape'], info);
  const parameters = readFields(fields['parameters'] ?? {}, `parameters of ${name}`);
  const size = integerOf(parameters, 'binary_data_size', counts);
  const { data } = fields;
  if ((size === undefined) === (data === undefined))
    fail('invalid_argument', `Input ${name} has either data or binary_data_size.`);
  if (size === undefined)
    return {
      value: { name, datatype, shape, data: bytesOfData(data, shape, info) },
      binaryBytes: 0,
    };
  if (size > bytes.length)
    fail('invalid_argument', `Input ${name} has ${size} bytes; ${bytes.length} are left.`);
  // A copy: what goes to another thread goes with all of its buffer.
  const own = Uint8Array.from(bytes.subarray(0, size));
  checkBytes(own, shape, info);
  return { value: { name, datatype, shape, data: own }, binaryBytes: size };
}

/** What is asked for; all of them where nothing is. */
function readOutputs(
  value: unknown,
  parameters: Fields,
  { name: model, outputs: known }: InferModel,
): readonly AskedOutput[] {
  const isBinary = booleanOf(parameters, 'binary_data_output') ?? false;
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0))
    return known.map(({ name }) => ({ name, isBinary }));
  const asked = listOf(value, 'outputs').map((each) => {
    const fields = readFields(each, 'An output');
    const name = textOf(fields, 'name');
    const info = known.find((candidate) => candidate.name === name);
    if (info === undefined)
      fail('invalid_argument', `unexpected inference output ${show(name)} for model '${model}'`);
    const own = readFields(fields['parameters'] ?? {}, `parameters of ${info.name}`);
    if (own['classification'] !== undefined)
      fail('invalid_argument', 'classification is not supported here.');
    return { name: info.name, isBinary: booleanOf(own, 'binary_data') ?? isBinary };
  });
  if (new Set(asked.map(({ name }) => name)).size < asked.length)
    fail('invalid_argument', 'An output is asked for twice.');
  return asked;
}
