/** Threads of models that die: what they held is lost and said to be, and the next request has a new one. */

import type { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import type { InferModel, InferOptions, TensorValue } from '../../../src/engine/onnx/api.ts';
import { openEmbedder } from '../../../src/engine/onnx/embedder.ts';
import { openFileModel } from '../../../src/engine/onnx/file-model.ts';
import { settingsFrom } from '../../../src/engine/onnx/settings.ts';
import { loadRuntime } from '../../../src/engine/onnx/thread/runtime.ts';
import { openPool } from '../../../src/pool/open.ts';
import { mappingsOf } from '../../support/mappings.ts';
import { until } from '../../support/until.ts';
import { mappedPool, missingRuntime, modelFile, summing } from './support.ts';

function one(): TensorValue {
  const data = new Uint8Array(Float32Array.of(1).buffer);
  return { name: 'x', datatype: 'FP32', shape: [1, 1], data };
}

function step(id: string, start: boolean): InferOptions {
  return { tenant: '', sequence: { id, start, end: false } };
}

async function sumOf(model: InferModel, id: string, start: boolean): Promise<number> {
  const [sum] = await model.infer([one()], step(id, start));
  return new DataView((sum as TensorValue).data.buffer).getFloat32(0, true);
}

test.skipIf(missingRuntime)(
  'a sequence whose thread has died is lost, not begun anew',
  async () => {
    const pool = await mappedPool();
    const workers: Worker[] = [];
    const watch = pool.watchWorker.bind(pool);
    pool.watchWorker = (worker) => {
      workers.push(worker as Worker);
      watch(worker);
    };
    const states = [{ input: 'total', output: 'totalN' }];
    const file = await modelFile(summing);
    const settings = settingsFrom({ file, states, batching: 'direct' }, '/');
    const model = await openFileModel('m', settings, pool);
    onTestFinished(() => model.close());
    expect(await sumOf(model, 'a', true)).toBe(1);
    expect(await sumOf(model, 'a', false)).toBe(2);
    const mappings = mappingsOf(pool);
    await workers[0]?.terminate();
    await expect(sumOf(model, 'a', false)).rejects.toMatchObject({ code: 'engine_worker_lost' });
    await expect(sumOf(model, 'a', false)).rejects.toMatchObject({ code: 'unknown_sequence' });
    expect(await sumOf(model, 'a', true)).toBe(1);
    expect(workers).toHaveLength(2);
    expect(mappingsOf(pool)).toBe(mappings);
  },
);

test.skipIf(missingRuntime)('tensors are in the pool, and go back with their thread', async () => {
  const pool = await mappedPool();
  const before = pool.stats().memory.liveBytes;
  const file = await modelFile(summing);
  const tensorBytes = 2 ** 20;
  const model = await openFileModel('m', settingsFrom({ file, tensorBytes }, '/'), pool);
  expect(pool.stats().memory.liveBytes - before).toBeGreaterThanOrEqual(tensorBytes);
  expect(pool.stats().parts).toBe(0);
  await model.close();
  await until(() => pool.stats().memory.liveBytes <= before);
});

test.skipIf(missingRuntime)(
  'tensors that the pool has no room for keep a model from being opened',
  async () => {
    const pool = await mappedPool(8 * 2 ** 20);
    const file = await modelFile(summing);
    const opened = openFileModel('m', settingsFrom({ file, tensorBytes: 2 ** 26 }, '/'), pool);
    const code = expect.stringMatching(/^(value_too_large|pool_full)$/) as string;
    await expect(opened).rejects.toMatchObject({ code });
  },
);

test('memory that threads share without a file is refused', async () => {
  const pool = await openPool({ capacityBytes: 4 * 2 ** 20 });
  onTestFinished(() => pool.close());
  const settings = settingsFrom({ file: 'none.onnx' }, '/');
  await expect(openFileModel('m', settings, pool)).rejects.toMatchObject({
    code: 'invalid_argument',
  });
  expect(() => openEmbedder({ folder: '/', pool })).toThrow(/mapped pools/);
});

test('without ONNX Runtime the error says how to get it', () => {
  const load = (): never => {
    throw new Error('Cannot find module');
  };
  expect(() => loadRuntime(load)).toThrow(
    expect.objectContaining({
      code: 'onnx_missing',
      advice: expect.stringContaining('npm install onnxruntime-node') as string,
    }),
  );
});
