/** Requests for embeddings, in OpenAI's shape. */

import type { EmbeddingInput } from '../../engine/onnx/api.ts';
import { fail } from '../../errors.ts';
import { show } from '../http/schema.ts';
import { integerOf, readFields, textOf } from './fields.ts';

/** What vectors are asked for with, beside who asks. */
export interface EmbeddingRequest {
  readonly model: string;
  readonly inputs: readonly EmbeddingInput[];
  readonly encoding: 'float' | 'base64';
  /** Undefined: as many as the model has. */
  readonly dimensions: number | undefined;
  /** -1: as many as the model can look at. Beyond OpenAI's API, as vLLM has it. */
  readonly truncateTokens: number | undefined;
}

const encodings = ['float', 'base64'] as const;
const sizes = { min: 1, max: 2 ** 20 };
const truncations = { min: -1, max: 2 ** 20 };

/** `user` says nothing to the model, and is not looked at. */
export const embeddingFields: ReadonlySet<string> = new Set(
  'model input encoding_format dimensions truncate_prompt_tokens user'.split(' '),
);

/** @throws invalid_argument */
export function readEmbeddingRequest(body: unknown, inputsMax: number): EmbeddingRequest {
  const fields = readFields(body, 'The body', embeddingFields);
  const model = textOf(fields, 'model') ?? fail('invalid_argument', 'model is missing.');
  const format = textOf(fields, 'encoding_format') ?? 'float';
  const encoding = encodings.find((known) => known === format);
  if (encoding === undefined)
    fail('invalid_argument', `encoding_format is float or base64; got ${show(format)}.`);
  const truncateTokens = integerOf(fields, 'truncate_prompt_tokens', truncations);
  if (truncateTokens === 0) fail('invalid_argument', 'truncate_prompt_tokens 0 leaves nothing.');
  return {
    model,
    inputs: readInputs(fields['input'], inputsMax),
    encoding,
    dimensions: integerOf(fields, 'dimensions', sizes),
    truncateTokens,
  };
}

function isToken(value: unknown): boolean {
  return Number.isInteger(value);
}

/** One text, one list of tokens, or a list of either. */
function readInputs(value: unknown, inputsMax: number): readonly EmbeddingInput[] {
  const isOne = typeof value === 'string' || (Array.isArray(value) && isToken(value[0]));
  const inputs: unknown = isOne ? [value] : value;
  if (!Array.isArray(inputs) || inputs.length === 0)
    fail(
      'invalid_argument',
      `input must be a text, tokens, or a list of them; got ${show(value)}.`,
    );
  if (inputs.length > inputsMax)
    fail('invalid_argument', `There are ${inputs.length} inputs; at most ${inputsMax} may be.`);
  const bad = inputs.findIndex(
    (input) => typeof input !== 'string' && !(Array.isArray(input) && input.every(isToken)),
  );
  if (bad >= 0) {
    const what = show(inputs[bad]);
    fail('invalid_argument', `input[${bad}] must be a text, or tokens; got ${what}.`);
  }
  return inputs as readonly EmbeddingInput[];
}
