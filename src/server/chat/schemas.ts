/** What the OpenAPI document says of requests and answers in OpenAI's shape. */

import { refTo, type JsonSchema } from '../http/openapi-schemas.ts';
import { embeddingFields } from './embedding-request.ts';
import { chatFields, completionFields } from './request.ts';

const text: JsonSchema = { type: 'string' };
const count: JsonSchema = { type: 'integer', minimum: 0 };
const flag: JsonSchema = { type: ['boolean', 'null'] };
const anything: JsonSchema = {};

/** Of fields that are heeded; the others may say nothing that would change the answer. */
const fieldSchemas: Readonly<Record<string, JsonSchema>> = {
  model: { ...text, description: 'One of /v1/models.' },
  messages: { type: 'array', minItems: 1, items: refTo('ChatMessage') },
  prompt: { description: 'A text, or a list of tokens.' },
  stream: flag,
  stream_options: { type: ['object', 'null'], properties: { include_usage: flag } },
  temperature: { type: ['number', 'null'], minimum: 0, maximum: 2, description: '1; 0: greedy.' },
  top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  top_k: { type: ['integer', 'null'], minimum: 0 },
  seed: { type: ['integer', 'null'], description: 'The same seed draws the same.' },
  stop: { description: 'A text, or up to four, before which the answer ends.' },
  max_tokens: { type: ['integer', 'null'], minimum: 1 },
  max_completion_tokens: { type: ['integer', 'null'], minimum: 1 },
  ignore_eos: { ...flag, description: "Go on past the model's own end." },
  input: { description: 'An input, or a list of up to 2048 of them.' },
  encoding_format: { ...text, enum: ['float', 'base64'] },
  dimensions: { type: ['integer', 'null'], description: 'As many as the model has, or nothing.' },
  truncate_prompt_tokens: {
    type: ['integer', 'null'],
    minimum: -1,
    description:
      'Look at so many tokens, -1: as many as the model can; without it longer inputs are refused.',
  },
  prompt_cache_key: { ...text, description: 'Names a session, for whoever routes it.' },
};

function request(fields: ReadonlySet<string>, required: readonly string[]): JsonSchema {
  const properties = Object.fromEntries(
    [...fields].map((name) => [name, fieldSchemas[name] ?? anything]),
  );
  return { type: 'object', required, properties, additionalProperties: false };
}

const envelope = { id: text, object: text, created: count, model: text } as const;

function record(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', required: Object.keys(properties), properties };
}

export const chatSchemas: Readonly<Record<string, JsonSchema>> = {
  ChatMessage: {
    type: 'object',
    required: ['role', 'content'],
    properties: {
      role: { ...text, enum: ['system', 'developer', 'user', 'assistant'] },
      content: { description: 'A text, or a list of {type: "text", text}.' },
    },
  },
  ChatCompletionRequest: request(chatFields, ['model', 'messages']),
  CompletionRequest: request(completionFields, ['model', 'prompt']),
  ChatCompletion: record({
    ...envelope,
    choices: { type: 'array', items: { type: 'object' } },
    usage: refTo('Usage'),
  }),
  Completion: record({
    ...envelope,
    choices: { type: 'array', items: { type: 'object' } },
    usage: refTo('Usage'),
  }),
  Usage: record({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_tokens_details: record({
      cached_tokens: { ...count, description: 'Those whose state was kept from before.' },
    }),
  }),
  EmbeddingRequest: {
    ...request(embeddingFields, ['model', 'input']),
    description: 'An input is a text, or a list of tokens.',
  },
  Embeddings: record({
    object: text,
    model: text,
    data: {
      type: 'array',
      items: record({ object: text, index: count, embedding: { type: ['array', 'string'] } }),
    },
    usage: record({
      prompt_tokens: count,
      total_tokens: count,
      cached_inputs: { ...count, description: 'Those whose vectors were kept from before.' },
    }),
  }),
  Model: record({ id: text, object: text, created: count, owned_by: text }),
  Models: record({ object: text, data: { type: 'array', items: refTo('Model') } }),
  OpenAiError: record({
    error: record({ message: text, type: text, param: { type: 'null' }, code: text }),
  }),
};
