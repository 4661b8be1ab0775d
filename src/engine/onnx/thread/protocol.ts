/** What a model and its thread say to each other. Plain data: it is cloned, and the buffers of tensors are handed over. */

import type { ErrorCode } from '../../../errors.ts';
import type { PoolHandle } from '../../../pool/api.ts';
import type { TensorInfo } from '../api.ts';

/** A tensor that goes from one request of a sequence to the next. */
export interface StateSpec {
  readonly input: string;
  readonly output: string;
}

/** The end of an input, which stands before the next one of its sequence. */
export interface OverlapSpec {
  readonly input: string;
  /** Of the last dimension. */
  readonly elements: number;
}

export interface FileProgram {
  readonly kind: 'file';
  readonly path: string;
  readonly states: readonly StateSpec[];
  readonly overlaps: readonly OverlapSpec[];
  /** Inputs that are always the same. */
  readonly constants: Readonly<Record<string, number | readonly number[]>>;
  /** What is known of shapes beyond the file, as requests see them. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly isBatched: boolean;
}

export interface SentenceProgram {
  readonly kind: 'sentence';
  readonly folder: string;
  readonly batchMax: number;
}

/** `workerData` of a thread. */
export interface OnnxSetup {
  /** Of a mapped pool. */
  readonly handle: PoolHandle;
  readonly program: FileProgram | SentenceProgram;
  /** Room for the tensors of a batch. */
  readonly tensorBytes: number;
  /** Sequences at a time. */
  readonly slots: number;
  readonly threads: number;
}

/** A tensor of a request. */
export interface RowTensor {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A request in a batch. */
export interface Row {
  readonly inputs: readonly RowTensor[];
  /** Where its sequence keeps its state; -1: nowhere. */
  readonly slot: number;
  /** The state is new. */
  readonly start: boolean;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The outputs of a request, or why there are none. */
export type RowResult = readonly RowTensor[] | Failure;

export type ToThread =
  | { readonly type: 'run'; readonly id: number; readonly rows: readonly Row[] }
  | { readonly type: 'close' };

export type FromThread =
  /** Before all else: where it says what it has mapped (`memory/thread-mappings.ts`). */
  | { readonly type: 'maps'; readonly mappings: SharedArrayBuffer }
  | {
      readonly type: 'ready';
      readonly inputs: readonly TensorInfo[];
      readonly outputs: readonly TensorInfo[];
    }
  | { readonly type: 'done'; readonly id: number; readonly results: readonly RowResult[] }
  | { readonly type: 'failed'; readonly id: number; readonly failure: Failure }
  /** The thread cannot begin; it ends. */
  | { readonly type: 'broken'; readonly failure: Failure };
