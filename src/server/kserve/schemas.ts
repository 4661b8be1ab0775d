/** What the OpenAPI document says of KServe's protocol. */

import { datatypes } from '../../engine/onnx/api.ts';
import { refTo, type JsonSchema } from '../http/openapi-schemas.ts';

const text: JsonSchema = { type: 'string' };
const flag: JsonSchema = { type: 'boolean' };
const texts: JsonSchema = { type: 'array', items: text };
const sequenceId: JsonSchema = {
  type: ['string', 'integer'],
  description: 'Of models with state: not 0, not empty. Sequences of other tenants are others.',
};

function record(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = Object.keys(properties),
): JsonSchema {
  return { type: 'object', required, properties };
}

const tensor = {
  name: text,
  datatype: { ...text, enum: Object.keys(datatypes) },
  shape: { type: 'array', items: { type: 'integer' } },
} as const;

const data: JsonSchema = {
  type: 'array',
  description: 'Row by row, nested or not; absent where it follows the JSON as bytes.',
};

export const kserveSchemas: Readonly<Record<string, JsonSchema>> = {
  KserveError: record({ error: { ...text, description: 'What happened, and its code.' } }),
  KserveServer: record({ name: text, version: text, extensions: texts }),
  KserveLive: record({ live: flag }),
  KserveReady: record({ ready: flag }),
  KserveModelReady: record({ name: text, ready: flag }),
  KserveModel: record({
    name: text,
    versions: texts,
    platform: text,
    inputs: { type: 'array', items: record(tensor) },
    outputs: { type: 'array', items: record(tensor) },
  }),
  InferRequest: record(
    {
      id: text,
      parameters: record(
        {
          sequence_id: sequenceId,
          sequence_start: flag,
          sequence_end: flag,
          priority: { type: 'integer', minimum: 0 },
          timeout: { type: 'integer', minimum: 0, description: 'Microseconds in the queue.' },
          binary_data_output: flag,
        },
        [],
      ),
      inputs: {
        type: 'array',
        items: record(
          {
            ...tensor,
            data,
            parameters: record({ binary_data_size: { type: 'integer', minimum: 0 } }, []),
          },
          ['name', 'datatype', 'shape'],
        ),
      },
      outputs: {
        type: 'array',
        items: record({ name: text, parameters: record({ binary_data: flag }, []) }, ['name']),
      },
    },
    ['inputs'],
  ),
  InferResponse: record(
    {
      id: text,
      model_name: text,
      model_version: text,
      outputs: { type: 'array', items: refTo('InferTensor') },
    },
    ['model_name', 'model_version', 'outputs'],
  ),
  InferTensor: record({ ...tensor, data }, ['name', 'datatype', 'shape']),
};
