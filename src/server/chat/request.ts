/** Requests for completions, in OpenAI's shape, as requests for the engine. What is not done here is refused, never silently left out. */

import { freshSeed } from '../../base/random.ts';
import type { ChatMessage, GenerateRequest } from '../../engine/api.ts';
import { fail } from '../../errors.ts';
import { show } from '../http/schema.ts';
import {
  booleanOf,
  integerOf,
  numberOf,
  readFields,
  refuseUnless,
  textOf,
  textsOf,
  type Fields,
} from './fields.ts';

/** What a completion is asked for with, beside who asks. */
export interface CompletionRequest {
  readonly model: string;
  readonly stream: boolean;
  /** At the end of a stream, what it has cost. */
  readonly includeUsage: boolean;
  readonly generate: GenerateRequest;
}

/** OpenAI's own bounds. */
const temperatures = { min: 0, max: 2 };
const probabilities = { min: 0, max: 1 };
const stopMax = 4;
const tokenCounts = { min: 1, max: 2 ** 20 };
const topKs = { min: 0, max: 2 ** 20 };
const seeds = { min: -(2 ** 53), max: 2 ** 53 };
/** The engine draws from seeds of so many. */
const seedCount = 2 ** 31;
const temperatureDefault = 1;
/** Of `/v1/completions`, as OpenAI has it. */
const completionTokensDefault = 16;

/** Fields of both kinds of requests. Those of the last line say nothing to the model, and are not looked at. */
const common = [
  'model stream stream_options temperature top_p top_k stop seed max_tokens ignore_eos',
  'n presence_penalty frequency_penalty logit_bias logprobs prompt_cache_key',
  'user metadata store service_tier safety_identifier',
];

/** @param lines names with a space between */
function namesOf(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(' ')));
}

export const chatFields: ReadonlySet<string> = namesOf(
  ...common,
  'messages max_completion_tokens top_logprobs response_format modalities',
  'tools tool_choice parallel_tool_calls functions function_call reasoning_effort verbosity',
);

export const completionFields: ReadonlySet<string> = namesOf(
  ...common,
  'prompt suffix echo best_of',
);

const roles: Readonly<Record<string, string>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
};

const isNothing = (value: unknown): boolean =>
  value === false || value === 0 || value === 'none' || isEmpty(value);
const isOne = (value: unknown): boolean => value === 1;

/** A list without elements, or an object without fields. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function refuseCommon(fields: Fields): void {
  refuseUnless(fields, 'n', isOne);
  for (const name of ['presence_penalty', 'frequency_penalty', 'logit_bias', 'logprobs']) {
    refuseUnless(fields, name, isNothing);
  }
}

/** @throws invalid_argument */
export function readChatRequest(body: unknown, messagesMax: number): CompletionRequest {
  const fields = readFields(body, 'The body', chatFields);
  refuseCommon(fields);
  for (const name of ['top_logprobs', 'tools', 'tool_choice', 'functions', 'function_call']) {
    refuseUnless(fields, name, isNothing);
  }
  refuseUnless(fields, 'response_format', (value) => isTextFormat(value));
  refuseUnless(fields, 'modalities', (value) => isTextOnly(value));
  const maxTokens =
    integerOf(fields, 'max_completion_tokens', tokenCounts) ??
    integerOf(fields, 'max_tokens', tokenCounts);
  return {
    ...readAsked(fields),
    generate: {
      ...readSampling(fields),
      messages: readMessages(fields['messages'], messagesMax),
      ...(maxTokens !== undefined && { maxTokens }),
    },
  };
}

/** @throws invalid_argument */
export function readCompletionRequest(body: unknown): CompletionRequest {
  const fields = readFields(body, 'The body', completionFields);
  refuseCommon(fields);
  refuseUnless(fields, 'best_of', isOne);
  refuseUnless(fields, 'echo', isNothing);
  refuseUnless(fields, 'suffix', (value) => value === '');
  const maxTokens = integerOf(fields, 'max_tokens', tokenCounts) ?? completionTokensDefault;
  return {
    ...readAsked(fields),
    generate: { ...readSampling(fields), ...readPrompt(fields['prompt']), maxTokens },
  };
}

function readAsked(fields: Fields): Pick<CompletionRequest, 'model' | 'stream' | 'includeUsage'> {
  const model = textOf(fields, 'model');
  if (model === undefined) fail('invalid_argument', 'model is missing.');
  const stream = booleanOf(fields, 'stream') ?? false;
  const options = readFields(fields['stream_options'] ?? {}, 'stream_options');
  return { model, stream, includeUsage: booleanOf(options, 'include_usage') ?? false };
}

function readSampling(fields: Fields): GenerateRequest {
  const topP = numberOf(fields, 'top_p', probabilities);
  const topK = integerOf(fields, 'top_k', topKs);
  const seed = integerOf(fields, 'seed', seeds);
  const stop = textsOf(fields, 'stop', stopMax);
  const ignoreEnd = booleanOf(fields, 'ignore_eos');
  const sessionId = textOf(fields, 'prompt_cache_key');
  return {
    temperature: numberOf(fields, 'temperature', temperatures) ?? temperatureDefault,
    seed: seed === undefined ? freshSeed() : Math.abs(seed) % seedCount,
    ...(topP !== undefined && { topP }),
    ...(topK !== undefined && { topK }),
    ...(stop !== undefined && { stop }),
    ...(ignoreEnd !== undefined && { ignoreEnd }),
    ...(sessionId !== undefined && { sessionId }),
  };
}

function isTextOnly(value: unknown): boolean {
  return Array.isArray(value) && value.length === 1 && value[0] === 'text';
}

function isTextFormat(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'text';
}

function readMessages(value: unknown, messagesMax: number): readonly ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    fail('invalid_argument', `messages must be a list of messages; got ${show(value)}.`);
  }
  if (value.length > messagesMax) {
    fail('invalid_argument', `There are ${value.length} messages; at most ${messagesMax} may be.`);
  }
  return value.map((message: unknown, index) => readMessage(message, `messages[${index}]`));
}

function readMessage(value: unknown, what: string): ChatMessage {
  const { role, content } = readFields(value, what);
  const known = typeof role === 'string' && Object.hasOwn(roles, role) ? roles[role] : undefined;
  if (known === undefined) {
    const names = Object.keys(roles).join(', ');
    fail('invalid_argument', `${what}.role must be one of ${names}; got ${show(role)}.`);
  }
  return { role: known, content: readContent(content, what) };
}

/** A text, or its pieces. */
function readContent(content: unknown, what: string): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) {
    fail('invalid_argument', `${what}.content must be text; got ${show(content)}.`);
  }
  const texts = content.map((piece: unknown): string => {
    const { type, text } = readFields(piece, `A piece of ${what}.content`);
    if (type !== 'text' || typeof text !== 'string') {
      fail('invalid_argument', `${what}.content may have pieces of text only; got ${show(type)}.`);
    }
    return text;
  });
  return texts.join('');
}

/** A text, or tokens; a list of one of them too, as clients send it. */
function readPrompt(value: unknown): Pick<GenerateRequest, 'prompt' | 'tokens'> {
  const prompt: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof prompt === 'string') return { prompt };
  const tokens: unknown[] = Array.isArray(prompt) ? prompt : [prompt];
  if (tokens.length > 0 && tokens.every((token) => Number.isInteger(token))) {
    return { tokens: tokens as readonly number[] };
  }
  return fail('invalid_argument', `prompt must be one text, or tokens; got ${show(value)}.`);
}
