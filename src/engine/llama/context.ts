/** A context: room for the attention state of several sequences, and what computes the next token of any of them. */

import { fail } from '../../errors.ts';
import type { KvType } from '../api.ts';
import { type Address, type Foreign, foreign } from './foreign.ts';
import { type Extra, extrasOf } from './layout.ts';
import type { LlamaModel } from './model.ts';
import { lastStream, streamsBytes, unwrapStreams, wrapStreams } from './streams.ts';
import { batchBytes, byValue, contextParams, structOf } from './structs.ts';
import { parametersMin, widened } from './tiles.ts';

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
  /** Default true: what a token comes to depends on its own sequence alone. */
  readonly exact?: boolean;
  /** Default true; without it state cannot be cut into blocks. */
  readonly flashAttention?: boolean;
}

const growth = 1.5;

/**
 * Pieces of as many prompts are computed in one pass over the weights: two of 64 tokens take 59.6 ms, one after the other 64.2 (6×512, float32); three and
 * four would be little better (28.9 and 28.6 ms each), and answers wait meanwhile.
 */
const piecesMost = 2;

/** Tokens to compute, in arrays. */
class Rows {
  readonly capacity: number;
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  readonly sequences: Int32Array;
  readonly wantLogits: Int8Array;

  constructor(capacity: number) {
    // In memory that stays where it is, however short they are.
    const [tokens, positions, sequences] = Array.from(
      { length: 3 },
      () => new Int32Array(new ArrayBuffer(capacity * 4)),
    ) as [Int32Array, Int32Array, Int32Array];
    [this.tokens, this.positions, this.sequences] = [tokens, positions, sequences];
    this.wantLogits = new Int8Array(new ArrayBuffer(capacity));
    this.capacity = capacity;
  }

  set(row: number, sequence: number, position: number, token: number, wantLogits: boolean): void {
    this.tokens[row] = token;
    this.positions[row] = position;
    this.sequences[row] = sequence;
    this.wantLogits[row] = wantLogits ? 1 : 0;
  }

  /** Where the logits of one of the first rows are wanted, those of its neighbour are too. */
  wantTwo(count: number): void {
    const first = this.wantLogits.subarray(0, count).indexOf(1);
    if (first >= 0 && !this.wantLogits.subarray(first + 1, count).includes(1)) {
      this.wantLogits[first === 0 ? 1 : first - 1] = 1;
    }
  }
}

/**
 * Arrays of a `llama_batch`, in one block of memory that koffi gets the addresses of:
 * `seq_id` points into `sequences`, an entry each; `n_seq_id` is 1 throughout.
 */
class Batch extends Rows {
  readonly words: BigUint64Array = new BigUint64Array(batchBytes / 8);
  readonly #counts: Int32Array;
  readonly #pointers: BigUint64Array;

  constructor(capacity: number, library: Foreign) {
    super(capacity);
    this.#counts = new Int32Array(new ArrayBuffer(capacity * 4)).fill(1);
    const first = library.addressOf(this.sequences);
    this.#pointers = BigUint64Array.from({ length: capacity }, (_, i) => first + BigInt(4 * i));
    this.words.set([
      0n,
      library.addressOf(this.tokens),
      0n,
      library.addressOf(this.positions),
      library.addressOf(this.#counts),
      library.addressOf(this.#pointers),
      library.addressOf(this.wantLogits),
    ]);
  }

  copy(row: number, from: Rows, fromRow: number): void {
    const { sequences, positions, tokens, wantLogits } = from;
    const [sequence, position] = [sequences[fromRow] as number, positions[fromRow] as number];
    this.set(row, sequence, position, tokens[fromRow] as number, wantLogits[fromRow] === 1);
  }
}

export class LlamaContext {
  readonly model: LlamaModel;
  readonly shape: ContextShape;
  readonly #library: Foreign = foreign();
  /** Full pieces of so many prompts may be in one batch. */
  readonly piecesTogether: number;
  readonly address: bigint;
  readonly #memory: Address;
  readonly #batch: Batch;
  /** Whether a row alone comes to other digits than beside others. */
  readonly #needsOthers: boolean;
  /** Whether some numbers of rows take longer than more would. */
  readonly #hasTiles: boolean;
  /** Rows that are asked for. */
  readonly #asked: Rows;
  #count = 0;
  /** Where each of them is in the batch. */
  readonly #places: Int32Array;
  /** States are loaded from here: as large as the longest so far. */
  #scratch: Uint8Array = new Uint8Array(0);
  #open = true;

  /** @throws engine_failed when there is no memory for it, or the model cannot be run so */
  constructor(model: LlamaModel, shape: ContextShape) {
    const { contextTokens, sequences, batchTokens, kvType, threads } = shape;
    this.piecesTogether = model.isPaged ? Math.min(piecesMost, sequences) : 1;
    // Sequences that are far from each other get a row each beside them.
    const batch = Math.max(this.piecesTogether * batchTokens, 2 * sequences);
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
      // Cells of a sequence in the order of its tokens, whoever was there before: sums in attention are in that order.
      kvUnified: 0,
    });
    const { functions } = this.#library;
    const address = functions.llama_init_from_model(model.address, ...byValue(words)) as Address;
    if (address === null) {
      fail(
        'engine_failed',
        `llama.cpp makes no context of ${sequences} × ${contextTokens} tokens, ${kvType}.`,
      );
    }
    this.model = model;
    this.shape = shape;
    this.address = address;
    this.#memory = functions.llama_get_memory(address) as Address;
    this.#batch = new Batch(batch, this.#library);
    this.#asked = new Rows(batch);
    this.#places = new Int32Array(batch);
    // What is not paged cannot give rows back; several threads share the cells of a row alone, and those of several rows row by row.
    const isExact = model.isPaged && (shape.exact ?? true);
    this.#needsOthers = isExact && (threads > 1 || this.#differsAlone());
    this.#hasTiles = threads === 1 && this.#library.hasAvx512 && model.parameters >= parametersMin;
  }

  /** Most tokens of pieces of several prompts in one batch. */
  get piecesRows(): number {
    return this.piecesTogether > 1 ? this.piecesTogether * this.shape.batchTokens : 0;
  }

  /** Begins the next batch. */
  begin(): void {
    this.#count = 0;
  }

  /**
   * Puts a token into the batch: the sequences one after the other, a token of each. Or pieces of prompts: the tokens of one sequence after those of
   * another, of each as many; the sequences follow each other, or llama.cpp computes them apart.
   * @returns its row, for `logits`
   */
  add(sequence: number, position: number, token: number, wantLogits: boolean): number {
    const row = this.#count;
    if (row >= this.#batch.capacity) {
      fail('engine_failed', `A batch takes ${this.#batch.capacity} tokens.`);
    }
    this.#asked.set(row, sequence, position, token, wantLogits);
    this.#count = row + 1;
    return row;
  }

  /** Computes the batch. @throws engine_failed: the sequences in it are then to be removed */
  compute(): void {
    const { sequences } = this.#asked;
    const isPiece = this.#count > 1 && sequences[0] === sequences[1];
    if (isPiece && this.#needsOthers) this.#asked.wantTwo(this.#count);
    this.#decode(isPiece || !this.#needsOthers ? [] : this.#extras());
  }

  #extras(): readonly Extra[] {
    const { sequences, positions } = this.#asked;
    const length = (sequence: number): number => this.length(sequence);
    const { contextTokens, sequences: places } = this.shape;
    const extras = extrasOf(sequences, positions, this.#count, { length, contextTokens });
    if (!this.#hasTiles) return extras;
    return widened(sequences, extras, this.#count, { length, contextTokens, places });
  }

  /** Computes what is asked for with extra rows, and takes these back. */
  #decode(extras: readonly Extra[]): void {
    const batch = this.#batch;
    let size = 0;
    let next = 0;
    for (let row = -1; row < this.#count; row++) {
      if (row >= 0) {
        this.#places[row] = size;
        batch.copy(size, this.#asked, row);
        size += 1;
      }
      for (; extras[next]?.after === row; next++, size++) {
        const { sequence, position } = extras[next] as Extra;
        batch.set(size, sequence, position, this.#asked.tokens[Math.max(row, 0)] as number, true);
      }
    }
    batch.words[0] = BigInt(size);
    const { functions } = this.#library;
    const code = functions.llama_decode(this.address, ...byValue(batch.words)) as number;
    for (const { sequence, position } of extras) this.remove(sequence, position);
    if (code !== 0) fail('engine_failed', `llama.cpp refused a batch (${code}).`);
  }

  /** Computes a token alone and with another. */
  #differsAlone(): boolean {
    const [alone, beside] = [[], [{ after: 0, sequence: 0, position: 1 }]].map((extras) => {
      const logits = new Float32Array(this.model.vocabulary);
      this.begin();
      const row = this.add(0, 0, 0, true);
      this.#decode(extras);
      this.logits(row, logits);
      this.remove(0);
      return logits;
    }) as [Float32Array, Float32Array];
    return alone.some((logit, index) => logit !== beside[index]);
  }

  /** Copies the logits of a row of the last batch. */
  logits(row: number, into: Float32Array): void {
    const from = this.#library.functions.llama_get_logits_ith(
      this.address,
      this.#places[row],
    ) as Address;
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

  /** Bytes of a sequence's state, as `state` needs them for a while. */
  stateBytes(sequence: number): number {
    return Number(this.#library.functions.llama_state_seq_get_size(this.address, sequence));
  }

  /** @returns the state of a sequence (`state/rows.ts` draws it), in memory of its own; undefined when llama.cpp gives something else */
  saveState(sequence: number): Uint8Array | undefined {
    const { functions } = this.#library;
    const into = new Uint8Array(this.stateBytes(sequence));
    const size = functions.llama_state_seq_get_data(this.address, into, into.length, sequence);
    return Number(size) === into.length ? unwrapStreams(into, this.#streams) : undefined;
  }

  /**
   * Replaces a sequence.
   * @param bytes of the state
   * @param write what puts it there, all of it
   * @returns false when llama.cpp refuses the state: the sequence is empty then
   */
  loadState(sequence: number, bytes: number, write: (into: Uint8Array) => void): boolean {
    this.remove(sequence);
    const from = this.#room(streamsBytes(bytes, this.#streams));
    write(lastStream(from, this.#streams));
    wrapStreams(from, this.#streams);
    const { functions } = this.#library;
    const size = functions.llama_state_seq_set_data(this.address, from, from.length, sequence);
    if (Number(size) === from.length) return true;
    this.remove(sequence);
    return false;
  }

  get #streams(): number {
    return this.shape.sequences;
  }

  #room(bytes: number): Uint8Array {
    // Conversations grow turn by turn, and fresh memory costs more than what is copied into it.
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(Math.ceil(bytes * growth));
    return this.#scratch.subarray(0, bytes);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#library.functions.llama_free(this.address);
  }
}
