/** Answers in OpenAI's shape. */

import { randomUUID } from 'node:crypto';
import type { GenerationResult, ModelInfo, Usage } from '../../engine/api.ts';

type Json = Readonly<Record<string, unknown>>;

/** How a kind of completion says what it has to say. */
export interface Dialect {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** The one choice of an answer. */
  choice(result: GenerationResult): Json;
  /** The same in pieces: the first, before any text … */
  readonly first: Json | undefined;
  /** … those with text … */
  piece(text: string): Json;
  /** … and the last, after all text. */
  readonly last: Json;
}

export const chatDialect: Dialect = {
  idPrefix: 'chatcmpl-',
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  choice: ({ text }) => ({
    message: { role: 'assistant', content: text, refusal: null },
    logprobs: null,
  }),
  first: { delta: { role: 'assistant', content: '' }, logprobs: null },
  piece: (text) => ({ delta: { content: text }, logprobs: null }),
  last: { delta: {}, logprobs: null },
};

export const textDialect: Dialect = {
  idPrefix: 'cmpl-',
  object: 'text_completion',
  chunkObject: 'text_completion',
  choice: ({ text }) => ({ text, logprobs: null }),
  first: undefined,
  piece: (text) => ({ text, logprobs: null }),
  last: { text: '', logprobs: null },
};

/** What all answers to a request have in common. */
export interface Envelope {
  readonly id: string;
  readonly createdSeconds: number;
  readonly model: string;
}

export function envelopeOf(dialect: Dialect, model: string, nowMs: number): Envelope {
  const id = dialect.idPrefix + randomUUID().replaceAll('-', '');
  return { id, createdSeconds: Math.floor(nowMs / 1000), model };
}

/** Tokens; and beyond OpenAI's shape the times, which its clients pass over. */
export function usageJson({ promptTokens, cachedTokens, completionTokens, timings }: Usage): {
  readonly usage: Json;
  readonly timings: Json;
} {
  return {
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: cachedTokens },
    },
    timings: {
      queued_ms: timings.queuedMs,
      restore_ms: timings.restoreMs,
      prefill_ms: timings.prefillMs,
      first_token_ms: timings.firstTokenMs,
      total_ms: timings.totalMs,
    },
  };
}

function framed({ id, createdSeconds, model }: Envelope, object: string): Json {
  return { id, object, created: createdSeconds, model };
}

export function completionJson(
  dialect: Dialect,
  envelope: Envelope,
  result: GenerationResult,
): Json {
  const choice = {
    index: 0,
    ...dialect.choice(result),
    finish_reason: result.finishReason,
  };
  return { ...framed(envelope, dialect.object), choices: [choice], ...usageJson(result.usage) };
}

/** A piece of an answer. @param choice undefined: none, what goes with it is in `more` */
export function chunkJson(
  dialect: Dialect,
  envelope: Envelope,
  choice: Json | undefined,
  more: Json = {},
): Json {
  const choices = choice === undefined ? [] : [{ index: 0, finish_reason: null, ...choice }];
  return { ...framed(envelope, dialect.chunkObject), choices, ...more };
}

/** @param createdSeconds when it was opened: the file does not tell when it was made */
export function modelJson(
  model: Pick<ModelInfo, 'name' | 'description' | 'contextTokens'>,
  createdSeconds: number,
): Json {
  return {
    id: model.name,
    object: 'model',
    created: createdSeconds,
    owned_by: 'cenote',
    description: model.description,
    context_length: model.contextTokens,
  };
}
