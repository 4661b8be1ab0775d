/** A context: room for the attention state of several sequences, and what computes the next token of any of them. */

import { fail } from '../../errors.ts';
import type { KvType } from '../api.ts';
import { type Address, type Foreign, foreign } from './foreign.ts';
import type { LlamaModel } from './model.ts';
import { batchBytes, contextParams, structOf } from './structs.ts';

/** `enum ggml_type` of what attention state may be. */
export const kvTypeCodes: Readonly<Record<KvType, number>> = { f32: 0, f16: 1, q8_0: 8 };

export interface ContextShape {
  /** Of each sequence. */
  readonly contextTokens: number;
  readonly sequences: number;
  /** Most tokens in one `decode`. */
  readonly batchTokens: number;
  readonly kvType: KvType;
  readonly threads: number;
  /** Default true; without it state cannot be cut into blocks. */
  readonly flashAttention?: boolean;
}

/**
 * Arrays of a `llama_batch`, in one block of memory that koffi gets the addresses of:
 * `seq_id` points into `sequences`, an entry each; `n_seq_id` is 1 throughout.
 */
class Batch {
  readonly capacity: number;
  readonly words: BigUint64Array = new BigUint64Array(batchBytes / 8);
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  readonly sequences: Int32Array;
  readonly wantLogits: Int8Array;
  readonly #counts: Int32Array;
  readonly #pointers: BigUint64Array;

  constructor(capacity: number, library: Foreign) {
    this.capacity = capacity;
    const [tokens, positions, sequences, counts] = Array.from(
      { length: 4 },
      () => new Int32Array(new ArrayBuffer(capacity * 4)),
    ) as [Int32Array, Int32Array, Int32Array, Int32Array];
    [this.tokens, this.positions, this.sequences] = [tokens, positions, sequences];
    this.#counts = counts.fill(1);
    this.wantLogits = new Int8Array(new ArrayBuffer(capacity));
    const first = library.addressOf(sequences);
    this.#pointers = BigUint64Array.from({ length: capacity }, (_, i) => first + BigInt(4 * i));
    this.words.set([
      0n,
      library.addressOf(tokens),
      0n,
      library.addressOf(positions),
      library.addressOf(this.#counts),
      library.addressOf(this.#pointers),
      library.addressOf(this.wantLogits),
    ]);
  }
}

export class LlamaContext {
  readonly model: LlamaModel;
  readonly shape: ContextShape;
  readonly #library: Foreign = foreign();
  readonly #address: bigint;
  readonly #memory: Address;
  readonly #batch: Batch;
  #count = 0;
  #open = true;

  /** @throws engine_failed when there is no memory for it, or the model cannot be run so */
  constructor(model: LlamaModel, shape: ContextShape) {
    const { contextTokens, sequences, batchTokens, kvType, threads } = shape;
    const batch = Math.max(batchTokens, sequences);
    const words = structOf(contextParams, {
      nCtx: contextTokens * sequences,
      nBatch: batch,
      nUbatch: batch,
      nSeqMax: sequences,
      nThreads: threads,
      nThreadsBatch: threads,
      flashAttn: (shape.flashAttention ?? true) ? 1 : 0,
      typeK: kvTypeCodes[kvType],
      typeV: kvTypeCodes[kvType],
      // One room for all: what was saved of one sequence can be loaded as any.
      kvUnified: 1,
    });
    const { functions } = this.#library;
    const address = functions.llama_init_from_model(model.address, { words }) as Address;
    if (address === null) {
      fail(
        'engine_failed',
        `llama.cpp makes no context of ${sequences} × ${contextTokens} tokens, ${kvType}.`,
      );
    }
    this.model = model;
    this.shape = shape;
    this.#address = address;
    this.#memory = functions.llama_get_memory(address) as Address;
    this.#batch = new Batch(batch, this.#library);
  }

  /** Begins the next batch. */
  begin(): void {
    this.#count = 0;
  }

  /** Puts a token into the batch. @returns its row, for `logits`. */
  add(sequence: number, position: number, token: number, wantLogits: boolean): number {
    const batch = this.#batch;
    const row = this.#count;
    if (row >= batch.capacity) fail('engine_failed', `A batch takes ${batch.capacity} tokens.`);
    batch.tokens[row] = token;
    batch.positions[row] = position;
    batch.sequences[row] = sequence;
    batch.wantLogits[row] = wantLogits ? 1 : 0;
    this.#count = row + 1;
    return row;
  }

  /** Computes the batch. @throws engine_failed: the sequences in it are then to be removed */
  compute(): void {
    this.#batch.words[0] = BigInt(this.#count);
    const { functions } = this.#library;
    const code = functions.llama_decode(this.#address, { words: this.#batch.words }) as number;
    if (code !== 0) fail('engine_failed', `llama.cpp refused a batch (${code}).`);
  }

  /** Copies the logits of a row of the last batch. */
  logits(row: number, into: Float32Array): void {
    const from = this.#library.functions.llama_get_logits_ith(this.#address, row) as Address;
    if (from === null) fail('engine_failed', `Row ${row} has no logits.`);
    this.#library.copyFrom(from, into);
  }

  /** Forgets a sequence from a position on. */
  remove(sequence: number, fromPosition = 0): void {
    this.#library.functions.llama_memory_seq_rm(this.#memory, sequence, fromPosition, -1);
  }

  /** How many tokens of a sequence there are. */
  length(sequence: number): number {
    return (this.#library.functions.llama_memory_seq_pos_max(this.#memory, sequence) as number) + 1;
  }

  /** Bytes of a sequence's state as llama.cpp gives it. */
  stateBytes(sequence: number): number {
    return Number(this.#library.functions.llama_state_seq_get_size(this.#address, sequence));
  }

  /** @returns false when the state is not of exactly this size: the bytes are then worth nothing */
  saveState(sequence: number, into: Uint8Array): boolean {
    const { functions } = this.#library;
    const size = functions.llama_state_seq_get_data(this.#address, into, into.length, sequence);
    return Number(size) === into.length;
  }

  /** Replaces a sequence. @returns false when llama.cpp refuses the state: the sequence is empty then */
  loadState(sequence: number, from: Uint8Array): boolean {
    this.remove(sequence);
    const { functions } = this.#library;
    const size = functions.llama_state_seq_set_data(this.#address, from, from.length, sequence);
    if (Number(size) === from.length) return true;
    this.remove(sequence);
    return false;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#library.functions.llama_free(this.#address);
  }
}
