/** The sentence encoder as a model of KServe's protocol: texts in, vectors out. */

import { fail } from '../../errors.ts';
import type {
  Embedder,
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
    const { vectors } = await this.#embedder.embed(inputs, {
      tenant,
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...(signal !== undefined && { signal }),
    });
    const { width } = this.#embedder;
    const all = new Float32Array(vectors.length * width);
    for (const [row, vector] of vectors.entries()) all.set(vector, row * width);
    const shape = [vectors.length, width];
    return [{ name: 'embedding', datatype: 'FP32', shape, data: new Uint8Array(all.buffer) }];
  }

  stats(): InferStats {
    const { inputs, batches } = this.#embedder.stats();
    return { accepted: inputs, completed: inputs, failed: 0, batches, live: 0 };
  }

  close(): Promise<void> {
    return Promise.resolve();
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
