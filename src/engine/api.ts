/**
 * What an engine takes and gives, as types: text and tokens in, tokens and text out. What it computed for a prompt it keeps in a pool, so that it, another
 * worker, another process, or the same after a restart, goes on from there.
 *
 * **What is exact.** State that comes back from the pool is the state that was put there, bit by bit, and so is every answer computed from it, provided
 * that the prompt is cut into the same pieces, whoever else is in the context. A prompt in other pieces of 64 tokens or more changes the last digits of
 * logits (by at most 0.02 where it was measured), never which state belongs to whom.
 */

import type { Spread } from '../base/buckets.ts';
import type { Timers } from '../base/timers.ts';
import type { Pool } from '../pool/api.ts';

/**
 * How numbers of the attention state are stored. `q8_0` halves its size. With heads whose width is no multiple of 64 it is quicker too on processors with
 * AVX-512, where ggml computes the rest of a head in f16 number by number: 32 wide, 16 answers after 330 tokens take 2.2 ms a step, not 13.3.
 */
export type KvType = 'f32' | 'f16' | 'q8_0';

export interface EngineOptions {
  /** A GGUF file. */
  readonly modelPath: string;
  /** What requests call it. Default: the name of the file without `.gguf`. */
  readonly name?: string;
  /** Where state is kept. It stays the caller's, who closes it after the engine. Without one every prompt is computed. */
  readonly pool?: Pool;
  /** Worker threads, each with one context. Started when requests wait, ended when idle. Default 1 and 1. */
  readonly instances?: { readonly min?: number; readonly max?: number };
  /** Tokens of the longest sequence, prompt and answer. Default: as many as the model was trained with, at most 4,096. */
  readonly contextTokens?: number;
  /** Sequences that an instance computes at once, 1…64. Default 8. With weights of floats and one thread 9 are answered faster than 8 (`llama/tiles.ts`). */
  readonly sequences?: number;
  /** Prompts are computed in pieces that end at multiples of this: a multiple of 16, up to 2,048. Default 64. */
  readonly batchTokens?: number;
  readonly kvType?: KvType;
  /**
   * Whether a token may depend on its own sequence alone, to the last bit, whoever else is asking. Default true. With weights of floats a sequence that
   * is alone is answered up to twice as fast without (6×512, float32: 2.7 ms a token, not 5.8); with quantised weights and one thread there is nothing to gain. Not for
   * recurrent models: these are computed as llama.cpp does.
   */
  readonly exact?: boolean;
  /** Threads of an instance. Default: the cores but one, divided by the instances. */
  readonly threads?: number;
  /** The file of the pool's keyring, for a pool that seals what goes to its disk: instances open it too. */
  readonly keyringPath?: string;
  /** Secret of whoever shares the pool: state is found by those only who open with the same. Default none. */
  readonly salt?: string;
  /** Requests that may wait for a place in an instance; the next is `engine_busy`. Default 256. */
  readonly queueMax?: number;
  /** Bytes of state that may wait to be written to the pool, per instance; what does not fit is not kept. Default 256 MiB. */
  readonly writeQueueBytes?: number;
  /** An instance more is started when a request has waited so long. Default 100. */
  readonly scaleUpAfterMs?: number;
  /** An instance above the minimum ends when it has had nothing to do for so long. Default 30,000. */
  readonly idleAfterMs?: number;
  readonly timers?: Timers;
}

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** One of `tokens`, `prompt` and `messages` says what to go on from. */
export interface GenerateRequest {
  readonly tokens?: ArrayLike<number>;
  readonly prompt?: string;
  /** Put into the model's own chat template. Texts of its control tokens stay text in what is said: only the template sets such tokens. */
  readonly messages?: readonly ChatMessage[];
  /** Default 256. */
  readonly maxTokens?: number;
  /** 0: the likeliest token always. Default 0. */
  readonly temperature?: number;
  /** Draws from the likeliest tokens that together have this probability. Default 1. */
  readonly topP?: number;
  /** Draws from so many of the likeliest tokens; 0: from all. Default 0. */
  readonly topK?: number;
  /** The same seed draws the same. Default 0. */
  readonly seed?: number;
  /** The answer ends before any of these texts; at most 16. */
  readonly stop?: readonly string[];
  /** Goes on past the model's own end of text. */
  readonly ignoreEnd?: boolean;
  /** Makes `logitsDigest` of the result, to tell whether two answers were computed alike to the last bit. */
  readonly logitsDigest?: boolean;
  /**
   * Who shares a conversation: tells the statistics of sessions apart, and sticks to an instance where that one is free. It opens no state. At most 512
   * characters; of one tenant.
   */
  readonly sessionId?: string;
  /** State is found again by the same tenant only. From the credential, never from the request's own fields. Default ''. */
  readonly tenant?: string;
  readonly signal?: AbortSignal;
  /** Ends the request with `engine_deadline` at this time of the engine's timers (by default milliseconds since 1970). */
  readonly deadlineMs?: number;
}

export interface GeneratedToken {
  readonly token: number;
  /** What can be said for sure so far: empty inside a character, or where a stop text may have begun. All together are the answer. */
  readonly text: string;
  /** From 0. */
  readonly index: number;
}

/** Milliseconds. */
export interface Timings {
  readonly queuedMs: number;
  /** To find, check, join and load the state that was there. */
  readonly restoreMs: number;
  readonly prefillMs: number;
  /** From the call to the first token. */
  readonly firstTokenMs: number;
  readonly totalMs: number;
}

export interface Usage {
  readonly promptTokens: number;
  /** Those of them whose state was in the pool. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly timings: Timings;
}

export interface GenerationResult {
  readonly text: string;
  /** `stop`: the model's end of text, or a stop text. `length`: maxTokens, or the context is full. */
  readonly finishReason: 'stop' | 'length';
  readonly usage: Usage;
  /** SHA-256 of the logits of all steps, where it was asked for. */
  readonly logitsDigest?: string;
}

/**
 * A running request: iterate for tokens as they come, await `result` for the rest; either alone is enough. Leaving the loop cancels it.
 * Both throw the same: aborted, engine_busy, engine_deadline, engine_prompt_too_long, engine_logits_invalid, engine_worker_lost, engine_closed, invalid_argument
 */
export interface Generation extends AsyncIterable<GeneratedToken> {
  readonly result: Promise<GenerationResult>;
}

export interface ModelInfo {
  readonly name: string;
  readonly path: string;
  /** SHA-256 of the file. */
  readonly digest: string;
  readonly description: string;
  readonly parameters: number;
  readonly vocabulary: number;
  readonly layers: number;
  /** What it was trained with. */
  readonly trainedTokens: number;
  /** Of the longest sequence here. */
  readonly contextTokens: number;
  readonly kvType: KvType;
  /** Attention state of a token. */
  readonly tokenBytes: number;
  /** True when the file brings a chat template; otherwise messages are joined plainly. */
  readonly hasTemplate: boolean;
}

/** Why state in the pool was not used. */
export const refusals = ['fingerprint', 'truncated', 'checksum', 'foreign', 'refused'] as const;
export type Refusal = (typeof refusals)[number];

/** Sums since opening, of all instances. */
export interface EngineStats {
  readonly instances: number;
  readonly instancesStarted: number;
  readonly instancesLost: number;
  readonly running: number;
  readonly queued: number;
  readonly requests: number;
  readonly refused: number;
  readonly cancelled: number;
  /** How often a request made room for one of another tenant, and went on later. */
  readonly preempted: number;
  /** Milliseconds that requests have waited for a place. */
  readonly waits: Spread;
  /** Milliseconds from the call to the first token. */
  readonly firstTokens: Spread;
  /** How many sequences had their next token in one batch. */
  readonly batches: Spread;
  /** Pieces of prompts that were computed. */
  readonly promptBatches: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly blocksWritten: number;
  /** Already there when they were to be written. */
  readonly blocksShared: number;
  readonly blocksRestored: number;
  /** Not written: the queue was full. */
  readonly blocksDropped: number;
  /** Not written: the pool was full or busy. */
  readonly blocksRejected: number;
  readonly blocksRefused: Readonly<Record<Refusal, number>>;
}

export interface LlamaEngine extends AsyncDisposable {
  /** The model, as a list for those who serve several engines. */
  models(): readonly ModelInfo[];
  /** @param special whether texts of control tokens become those tokens: for templates, never for what users wrote */
  tokenize(text: string, options?: { readonly special?: boolean }): Promise<Int32Array>;
  detokenize(tokens: ArrayLike<number>): Promise<string>;
  /** The prompt that the model's chat template makes of messages. */
  template(messages: readonly ChatMessage[]): Promise<string>;
  generate(request: GenerateRequest): Generation;
  /** Resolves when all state that waits to be written is in the pool, or dropped. */
  flushed(): Promise<void>;
  stats(): EngineStats;
  /** Ends what runs (`engine_closed`), writes what waits, ends the threads. */
  close(): Promise<void>;
}
