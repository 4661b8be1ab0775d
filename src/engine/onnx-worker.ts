/** The thread of a model on ONNX Runtime, which blocks whoever calls it. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { fail } from '../errors.ts';
import { threadMappings } from '../memory/thread-mappings.ts';
import type { Pool } from '../pool/api.ts';
import { openPool } from '../pool/open.ts';
import { failureOf } from './onnx/thread/failure.ts';
import { FileModel } from './onnx/thread/file-program.ts';
import type { Program } from './onnx/thread/program.ts';
import type { FromThread, OnnxSetup, RowResult, ToThread } from './onnx/thread/protocol.ts';
import { SentenceEncoder } from './onnx/thread/sentence-program.ts';

function open({ program, ...sizes }: OnnxSetup, pool: Pool): Promise<Program> {
  if (program.kind === 'sentence') return SentenceEncoder.open(program, pool, sizes.threads);
  return FileModel.open(program, pool, sizes);
}

/** Buffers of tensors, which change hands. */
function buffersOf(results: readonly RowResult[]): ArrayBuffer[] {
  return results.flatMap((result) =>
    'code' in result ? [] : result.map(({ data }) => data.buffer as ArrayBuffer),
  );
}

async function begin(port: MessagePort, setup: OnnxSetup): Promise<void> {
  let pool: Pool | undefined;
  try {
    port.postMessage({ type: 'maps', mappings: threadMappings() } satisfies FromThread);
    pool = await openPool({ handle: setup.handle });
    const program = await open(setup, pool);
    const { inputs, outputs } = program;
    port.postMessage({ type: 'ready', inputs, outputs } satisfies FromThread);
    serve(port, program, pool);
  } catch (error) {
    port.postMessage({ type: 'broken', failure: failureOf(error) } satisfies FromThread);
    await pool?.close();
    port.close();
  }
}

function serve(port: MessagePort, program: Program, pool: Pool): void {
  /** One batch at a time, in the order in which they come. */
  let before: Promise<void> = Promise.resolve();
  port.on('message', (message: ToThread) => {
    before = before.then(() => take(message));
  });

  async function take(message: ToThread): Promise<void> {
    if (message.type === 'close') {
      await program.close();
      await pool.close();
      port.close();
      return;
    }
    const { id, rows } = message;
    try {
      const results = await program.run(rows);
      const done: FromThread = { type: 'done', id, results };
      port.postMessage(done, buffersOf(results));
    } catch (error) {
      port.postMessage({ type: 'failed', id, failure: failureOf(error) } satisfies FromThread);
    }
  }
}

if (parentPort === null) fail('engine_failed', 'This file is the thread of a model.');
void begin(parentPort, workerData as OnnxSetup);
