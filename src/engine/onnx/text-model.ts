/** The sentence encoder as a model of KServe's protocol: texts in, vectors out. */

import { fail } from '../../errors.ts';
import type {
  Embedder,
  EmbedOptions,
  InferModel,
  InferOptions,
  InferStats,
  TensorInfo,
  TensorValue,
} from './api.ts';
import { textsOf } from './texts.ts';

export class TextModel implements InferModel {
  readonly name: string;
  readonly platform = 'onnxruntime_onnx';
  readonly inputs: readonly TensorInfo[] = [{ name: 'text', datatype: 'BYTES', shape: [-1] }];
  readonly outputs: readonly TensorInfo[];
  readonly isSequence = false;
  readonly #embedder: Embedder;
  readonly #counts = { accepted: 0, completed: 0, failed: 0 };

  /** Closing it leaves the embedder open. */
  constructor(embedder: Embedder) {
    this.name = embedder.name;
    this.outputs = [{ name: 'embedding', datatype: 'FP32', shape: [-1, embedder.width] }];
    this.#embedder = embedder;
  }

  async infer(
    [texts]: readonly TensorValue[],
    { tenant, deadlineMs, signal }: InferOptions,
  ): Promise<readonly TensorValue[]> {
    if (texts === undefined) fail('invalid_argument', 'The model takes one input, text.');
    const inputs = textsOf(texts.data).map((bytes) => decode(bytes));
    const given = { ...(deadlineMs !== undefined && { deadlineMs }), ...(signal && { signal }) };
    const vectors = await this.#vectorsOf(inputs, { tenant, ...given });
    const { width } = this.#embedder;
    const all = new Float32Array(vectors.length * width);
    for (const [row, vector] of vectors.entries()) all.set(vector, row * width);
    const shape = [vectors.length, width];
    return [{ name: 'embedding', datatype: 'FP32', shape, data: new Uint8Array(all.buffer) }];
  }

  /** Batches are counted by the embedder, whom others ask too. */
  stats(): InferStats {
    return { ...this.#counts, batches: 0, live: 0 };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #vectorsOf(
    inputs: readonly string[],
    options: EmbedOptions,
  ): Promise<readonly Float32Array[]> {
    this.#counts.accepted += 1;
    try {
      const { vectors } = await this.#embedder.embed(inputs, options);
      this.#counts.completed += 1;
      return vectors;
    } catch (error) {
      this.#counts.failed += 1;
      throw error;
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return fail('invalid_argument', 'A text is not UTF-8.');
  }
}
