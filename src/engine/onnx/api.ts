/** Models on ONNX Runtime: what they take and give, in the words of KServe's protocol. */

/** Datatypes of KServe V2, with the bytes of an element; 0: elements have lengths of their own. */
export const datatypes = {
  BOOL: { element: 'bool', sizeBytes: 1 },
  UINT8: { element: 'uint8', sizeBytes: 1 },
  UINT16: { element: 'uint16', sizeBytes: 2 },
  UINT32: { element: 'uint32', sizeBytes: 4 },
  UINT64: { element: 'uint64', sizeBytes: 8 },
  INT8: { element: 'int8', sizeBytes: 1 },
  INT16: { element: 'int16', sizeBytes: 2 },
  INT32: { element: 'int32', sizeBytes: 4 },
  INT64: { element: 'int64', sizeBytes: 8 },
  FP16: { element: 'float16', sizeBytes: 2 },
  FP32: { element: 'float32', sizeBytes: 4 },
  FP64: { element: 'float64', sizeBytes: 8 },
  BYTES: { element: 'string', sizeBytes: 0 },
} as const;

export type Datatype = keyof typeof datatypes;

/** A tensor that a model takes or gives. */
export interface TensorInfo {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1: any size. Of models that batch the first is the batch. */
  readonly shape: readonly number[];
}

/** Little endian, row by row; an element of BYTES is its length in 4 bytes, then its bytes. */
export interface TensorValue {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

export interface SequenceFlags {
  readonly id: string;
  readonly start: boolean;
  readonly end: boolean;
}

export interface InferOptions {
  /** From the credential. */
  readonly tenant: string;
  /** Needed by models with state, and by no others. */
  readonly sequence?: SequenceFlags;
  readonly priority?: number;
  readonly queueTimeoutMs?: number;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** A model that answers `infer`. */
export interface InferModel {
  readonly name: string;
  readonly platform: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** It keeps state from request to request of a sequence. */
  readonly isSequence: boolean;
  /**
   * @param inputs one for each of the model's, in their order, of fitting datatypes and shapes
   * @returns one for each output, in their order
   * @throws engine_busy, engine_deadline, unknown_sequence, value_too_large, aborted, engine_failed, engine_worker_lost, engine_closed
   */
  infer(inputs: readonly TensorValue[], options: InferOptions): Promise<readonly TensorValue[]>;
  stats(): InferStats;
  close(): Promise<void>;
}

/** Sums since opening. */
export interface InferStats {
  readonly accepted: number;
  readonly completed: number;
  readonly failed: number;
  readonly batches: number;
  /** Sequences that live; 0 for models without state. */
  readonly live: number;
}

/** A text, or its tokens. */
export type EmbeddingInput = string | readonly number[];

export interface EmbedOptions {
  /** From the credential: what is kept of one tenant is not found by another. */
  readonly tenant: string;
  /** Look at so many tokens only; without it a longer text is refused. */
  readonly truncateTokens?: number;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface Embeddings {
  /** In the order of the inputs. */
  readonly vectors: readonly Float32Array[];
  readonly promptTokens: number;
  /** Inputs whose vectors were kept from before. */
  readonly cached: number;
}

export interface EmbedderStats {
  readonly inputs: number;
  readonly hits: number;
  /** Vectors that the pool had no room for. */
  readonly unkept: number;
  readonly batches: number;
  readonly rows: number;
}

/** A model that makes vectors of texts. */
export interface Embedder {
  readonly name: string;
  readonly description: string;
  /** Numbers of a vector. */
  readonly width: number;
  /** Tokens that the model looks at. */
  readonly tokensMax: number;
  /** Inputs that one call takes. */
  readonly inputsMax: number;
  /**
   * @throws invalid_argument for empty inputs and tokens that are none, engine_prompt_too_long, engine_busy, engine_deadline, aborted, engine_failed,
   * engine_worker_lost, engine_closed, onnx_missing, engine_model_invalid
   */
  embed(inputs: readonly EmbeddingInput[], options: EmbedOptions): Promise<Embeddings>;
  stats(): EmbedderStats;
  close(): Promise<void>;
}
