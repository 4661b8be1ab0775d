/** The sentence encoder: rows of different lengths, side by side. */

import type { Pool } from '../../../pool/api.ts';
import type { TensorInfo } from '../api.ts';
import { sentenceModel, encoderTokens, encoderWidth } from '../sentence/graph.ts';
import { readWeights } from '../sentence/weights.ts';
import { Arena } from './arena.ts';
import type { Program } from './program.ts';
import type { Row, RowResult, SentenceProgram } from './protocol.ts';
import {
  loadRuntime,
  openSession,
  runSession,
  type OrtRuntime,
  type OrtSession,
} from './runtime.ts';
import { viewOf } from './tensors.ts';

const wordBytes = 4;

export class SentenceEncoder implements Program {
  readonly inputs: readonly TensorInfo[] = [{ name: 'ids', datatype: 'INT32', shape: [-1] }];
  readonly outputs: readonly TensorInfo[] = [
    { name: 'embedding', datatype: 'FP32', shape: [encoderWidth] },
  ];
  readonly #runtime: OrtRuntime;
  readonly #session: OrtSession;
  readonly #arena: Arena;

  private constructor(runtime: OrtRuntime, session: OrtSession, arena: Arena) {
    this.#runtime = runtime;
    this.#session = session;
    this.#arena = arena;
  }

  /** @throws onnx_missing, engine_model_invalid, pool_full */
  static async open(
    { folder, batchMax }: SentenceProgram,
    pool: Pool,
    threads: number,
  ): Promise<SentenceEncoder> {
    const runtime = loadRuntime();
    const session = await openSession(runtime, sentenceModel(readWeights(folder)), threads);
    const rowBytes = (2 * encoderTokens + encoderWidth) * wordBytes;
    return new SentenceEncoder(runtime, session, new Arena(pool, batchMax * rowBytes + 256));
  }

  async run(rows: readonly Row[]): Promise<readonly RowResult[]> {
    const arena = this.#arena;
    arena.reset();
    const tokens = rows.map(({ inputs }) => idsOf(inputs[0]?.data));
    const width = Math.max(...tokens.map(({ length }) => length));
    const shape = [rows.length, width];
    const cells = rows.length * width;
    const ids = viewOf('INT32', arena.take(cells * wordBytes)) as Int32Array;
    const mask = viewOf('FP32', arena.take(cells * wordBytes)) as Float32Array;
    const output = arena.take(rows.length * encoderWidth * wordBytes);
    for (const [row, own] of tokens.entries()) {
      const from = row * width;
      ids.fill(0, from + own.length, from + width).set(own, from);
      mask.fill(1, from, from + own.length).fill(0, from + own.length, from + width);
    }
    const { Tensor } = this.#runtime;
    await runSession(
      this.#session,
      { ids: new Tensor('int32', ids, shape), mask: new Tensor('float32', mask, shape) },
      {
        embedding: new Tensor('float32', viewOf('FP32', output), [rows.length, encoderWidth]),
      },
    );
    const rowBytes = encoderWidth * wordBytes;
    return rows.map((_, row) => {
      const data = output.slice(row * rowBytes, (row + 1) * rowBytes);
      return [{ shape: [encoderWidth], data }];
    });
  }

  async close(): Promise<void> {
    await this.#session.release();
    this.#arena.close();
  }
}

function idsOf(data: Uint8Array = new Uint8Array(0)): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.byteLength / wordBytes);
}
