/** What the engine and the threads of its instances say to each other. Plain data: it is cloned. */

import type { ErrorCode } from '../../errors.ts';
import type { PoolHandle } from '../../pool/api.ts';
import type { ModelFile } from '../digest.ts';
import type { ChatMessage, GeneratedToken, GenerationResult, KvType, ModelInfo } from '../api.ts';

/** `workerData` of an instance's thread. */
export interface InstanceSetup extends ModelFile {
  readonly modelPath: string;
  readonly handle: PoolHandle | undefined;
  readonly keyringPath: string | undefined;
  readonly contextTokens: number | undefined;
  readonly sequences: number;
  readonly batchTokens: number;
  readonly kvType: KvType;
  readonly exact: boolean;
  readonly threads: number;
  readonly salt: string;
  readonly writeQueueBytes: number;
  /** Counters. */
  readonly memory: SharedArrayBuffer;
}

/** What an instance knows of its model. */
export type InstanceModel = Omit<ModelInfo, 'name' | 'path' | 'digest' | 'kvType'>;

export type Prompt =
  | { readonly tokens: Int32Array }
  | { readonly text: string }
  | { readonly messages: readonly ChatMessage[] };

/** A checked request. */
export interface Work {
  readonly prompt: Prompt;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly ignoreEnd: boolean;
  readonly tenant: string;
  readonly logitsDigest: boolean;
}

export type Question =
  | { readonly ask: 'tokenize'; readonly text: string; readonly special: boolean }
  | { readonly ask: 'detokenize'; readonly tokens: Int32Array }
  | { readonly ask: 'template'; readonly messages: readonly ChatMessage[] }
  | { readonly ask: 'flush' };

export type Answer = Int32Array | string | undefined;

export type ToInstance =
  | { readonly type: 'work'; readonly id: number; readonly work: Work }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  | { readonly type: 'close' };

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Memory outside JavaScript that does not go with a thread: addresses, good in the whole process. */
export interface Held {
  readonly context: bigint;
  readonly model: bigint;
}

export type FromInstance =
  /** Before all else: where it says what it has mapped (`memory/thread-mappings.ts`). */
  | { readonly type: 'maps'; readonly mappings: SharedArrayBuffer }
  /** Said when it is there, and before it is given back: who ends the thread in between gives it back, and never twice. */
  | { readonly type: 'holds'; readonly held: Held | undefined }
  | { readonly type: 'ready'; readonly model: InstanceModel }
  | { readonly type: 'tokens'; readonly tokens: readonly (GeneratedToken & { id: number })[] }
  /** Times of the result begin when the instance got the request. */
  | { readonly type: 'done'; readonly id: number; readonly result: GenerationResult }
  | { readonly type: 'failed'; readonly id: number; readonly failure: Failure }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  /** The instance cannot begin, or go on; the thread ends. */
  | { readonly type: 'broken'; readonly failure: Failure };
