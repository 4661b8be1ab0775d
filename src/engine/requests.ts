/** Checks what users give to an engine. */

import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { show } from '../base/show.ts';
import { systemTimers, type Timers } from '../base/timers.ts';
import { fail } from '../errors.ts';
import type { Pool } from '../pool/api.ts';
import type { ChatMessage, EngineOptions, GenerateRequest, KvType } from './api.ts';
import { kvTypeCodes } from './llama/context.ts';
import { blockTokens } from './state/block.ts';
import type { Prompt, Work } from './worker/protocol.ts';

const instancesMax = 64;
const contextTokensMax: number = 2 ** 20;
const sequencesMax = 64;
const batchTokensMax = 2048;
const threadsMax = 256;
const queueMaxMax: number = 2 ** 20;
const writeQueueBytesMax: number = 2 ** 40;
const timeMaxMs: number = 2 ** 31 - 1;
const maxTokensDefault = 256;
const temperatureMax = 100;
const topKMax: number = 2 ** 20;
const stopsMax = 16;
const stopLengthMax = 1024;
const messagesMax = 4096;
/** Thousands of them are remembered. */
const sessionIdLengthMax = 512;
const textLengthMax: number = 2 ** 26;

export interface EngineConfig {
  readonly modelPath: string;
  readonly name: string;
  readonly pool: Pool | undefined;
  readonly instancesMin: number;
  readonly instancesMax: number;
  readonly contextTokens: number | undefined;
  readonly sequences: number;
  readonly batchTokens: number;
  readonly kvType: KvType;
  readonly exact: boolean;
  readonly threads: number;
  readonly keyringPath: string | undefined;
  readonly salt: string;
  readonly queueMax: number;
  readonly writeQueueBytes: number;
  readonly scaleUpAfterMs: number;
  readonly idleAfterMs: number;
  readonly timers: Timers;
}

/** @throws invalid_argument unless it is a whole number from `least` to `most` */
function whole(value: number | undefined, name: string, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  fail(
    'invalid_argument',
    `${name} must be a whole number from ${least} to ${most}; got ${show(value)}.`,
  );
}

function within(value: number, name: string, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  return fail('invalid_argument', `${name} must be ${least} to ${most}; got ${show(value)}.`);
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= textLengthMax) return value;
  return fail('invalid_argument', `${name} must be a text; got ${show(value)}.`);
}

/** @throws invalid_argument */
export function configOf(options: EngineOptions): EngineConfig {
  if (typeof options !== 'object' || options === null) {
    fail('invalid_argument', `Options must be an object; got ${show(options)}.`);
  }
  const { instances = {}, contextTokens, sequences = 8, batchTokens = 64 } = options;
  const { kvType = 'f16', queueMax = 256, writeQueueBytes = 256 * 2 ** 20 } = options;
  const {
    exact = true,
    scaleUpAfterMs = 100,
    idleAfterMs = 30_000,
    timers = systemTimers,
  } = options;
  const modelPath = text(options.modelPath, 'modelPath');
  whole(instances.min, 'instances.min', 1, instancesMax);
  const min = instances.min ?? 1;
  whole(instances.max, 'instances.max', min, instancesMax);
  const max = instances.max ?? min;
  whole(contextTokens, 'contextTokens', blockTokens, contextTokensMax);
  whole(sequences, 'sequences', 1, sequencesMax);
  whole(batchTokens, 'batchTokens', blockTokens, batchTokensMax);
  if (batchTokens % blockTokens !== 0) {
    fail(
      'invalid_argument',
      `batchTokens must be a multiple of ${blockTokens}; got ${batchTokens}.`,
    );
  }
  if (!Object.hasOwn(kvTypeCodes, kvType)) {
    const names = Object.keys(kvTypeCodes).join(', ');
    fail('invalid_argument', `kvType must be one of ${names}; got ${show(kvType)}.`);
  }
  if (typeof exact !== 'boolean') {
    fail('invalid_argument', `exact must be true or false; got ${show(exact)}.`);
  }
  whole(options.threads, 'threads', 1, threadsMax);
  whole(queueMax, 'queueMax', 0, queueMaxMax);
  whole(writeQueueBytes, 'writeQueueBytes', 0, writeQueueBytesMax);
  whole(scaleUpAfterMs, 'scaleUpAfterMs', 0, timeMaxMs);
  whole(idleAfterMs, 'idleAfterMs', 0, timeMaxMs);
  if (typeof timers?.wakeAt !== 'function') {
    fail('invalid_argument', `timers must have a method wakeAt; got ${show(timers)}.`);
  }
  // A core stays free for whoever waits on the answers: where all compute, one that is late holds up all others.
  const threads = options.threads ?? Math.max(1, Math.floor((availableParallelism() - 1) / max));
  return {
    modelPath,
    contextTokens,
    sequences,
    batchTokens,
    kvType,
    exact,
    threads,
    queueMax,
    writeQueueBytes,
    scaleUpAfterMs,
    idleAfterMs,
    timers,
    name: text(options.name ?? basename(modelPath, '.gguf'), 'name'),
    pool: options.pool,
    instancesMin: min,
    instancesMax: max,
    keyringPath:
      options.keyringPath === undefined ? undefined : text(options.keyringPath, 'keyringPath'),
    salt: text(options.salt ?? '', 'salt'),
  };
}

/** What an instance is asked for. @throws invalid_argument */
export function workOf(request: GenerateRequest): Work {
  if (typeof request !== 'object' || request === null) {
    fail('invalid_argument', `A request must be an object; got ${show(request)}.`);
  }
  const { maxTokens = maxTokensDefault, temperature = 0, topP = 1, topK = 0, seed = 0 } = request;
  const { stop = [], ignoreEnd = false, tenant = '', logitsDigest = false } = request;
  whole(maxTokens, 'maxTokens', 1, contextTokensMax);
  within(temperature, 'temperature', 0, temperatureMax);
  within(topP, 'topP', 0, 1);
  whole(topK, 'topK', 0, topKMax);
  if (!Number.isSafeInteger(seed)) {
    fail('invalid_argument', `seed must be a whole number; got ${show(seed)}.`);
  }
  return {
    maxTokens,
    temperature,
    topP,
    topK,
    seed,
    prompt: promptOf(request),
    stop: stopsOf(stop),
    ignoreEnd,
    tenant: text(tenant, 'tenant'),
    logitsDigest,
  };
}

/** A session by its name and whose it is; undefined for a request that names none. @throws invalid_argument */
export function sessionOf({ sessionId, tenant = '' }: GenerateRequest): string | undefined {
  if (sessionId === undefined) return undefined;
  if (typeof sessionId !== 'string' || sessionId.length > sessionIdLengthMax) {
    fail(
      'invalid_argument',
      `sessionId must be a text of at most ${sessionIdLengthMax} characters; got ${show(sessionId)}.`,
    );
  }
  return JSON.stringify([tenant, sessionId]);
}

function stopsOf(stops: readonly string[]): readonly string[] {
  if (!Array.isArray(stops) || stops.length > stopsMax) {
    fail('invalid_argument', `stop must hold at most ${stopsMax} texts; got ${show(stops)}.`);
  }
  for (const stop of stops as readonly unknown[]) {
    if (typeof stop === 'string' && stop !== '' && stop.length <= stopLengthMax) continue;
    fail(
      'invalid_argument',
      `A stop text has 1 to ${stopLengthMax} characters; got ${show(stop)}.`,
    );
  }
  return [...(stops as readonly string[])];
}

function promptOf({ tokens, prompt, messages }: GenerateRequest): Prompt {
  const given = [tokens, prompt, messages].filter((each) => each !== undefined);
  if (given.length !== 1) {
    fail('invalid_argument', 'Give one of tokens, prompt and messages.');
  }
  if (tokens !== undefined) return { tokens: tokensGiven(tokens) };
  if (prompt !== undefined) return { text: text(prompt, 'prompt') };
  return { messages: messagesGiven(messages as readonly ChatMessage[]) };
}

/** @throws invalid_argument */
export function tokensGiven(tokens: ArrayLike<number>): Int32Array {
  const length: unknown = typeof tokens === 'object' ? tokens?.length : undefined;
  if (!(Number.isInteger(length) && (length as number) <= contextTokensMax)) {
    fail('invalid_argument', `tokens must be an array of numbers; got ${show(tokens)}.`);
  }
  const copy = Int32Array.from(tokens);
  const wrong = copy.findIndex((token, index) => token !== tokens[index] || token < 0);
  if (wrong < 0) return copy;
  return fail('invalid_argument', `There is no token ${show(tokens[wrong])}.`);
}

/** @throws invalid_argument */
export function messagesGiven(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > messagesMax) {
    fail(
      'invalid_argument',
      `messages must be an array of 1 to ${messagesMax}; got ${show(messages)}.`,
    );
  }
  return (messages as readonly (ChatMessage | undefined)[]).map((message, index) => ({
    role: text(message?.role, `messages[${index}].role`),
    content: text(message?.content, `messages[${index}].content`),
  }));
}
