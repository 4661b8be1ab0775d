/** Models from files: batches, state in slots of the pool, and what happens when they fail. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { InferModel, InferOptions, TensorValue } from '../../../src/engine/onnx/api.ts';
import { openFileModel } from '../../../src/engine/onnx/file-model.ts';
import type { Graph } from '../../../src/engine/onnx/model-writer.ts';
import { readSettings, settingsFrom } from '../../../src/engine/onnx/settings.ts';
import {
  doubling,
  folderOfTest,
  lookingUp,
  mappedPool,
  missingRuntime,
  modelFile,
  summing,
} from './support.ts';

async function open(graph: Graph, settings: object): Promise<InferModel> {
  const file = await modelFile(graph);
  const model = await openFileModel(
    'm',
    settingsFrom({ ...settings, file }, '/'),
    await mappedPool(),
  );
  onTestFinished(() => model.close());
  return model;
}

const tenant = 'acme';

function floats(name: string, ...values: number[]): TensorValue {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return { name, datatype: 'FP32', shape: [1, values.length], data };
}

function integers(name: string, ...values: bigint[]): TensorValue {
  const data = new Uint8Array(BigInt64Array.from(values).buffer);
  return { name, datatype: 'INT64', shape: [values.length, 1], data };
}

function numbersOf(made: readonly TensorValue[]): number[] {
  const { data } = made[0] as TensorValue;
  return [...new Float32Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / 4)];
}

function bigsOf(made: readonly TensorValue[]): bigint[] {
  const { data } = made[0] as TensorValue;
  return [...new BigInt64Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / 8)];
}

test.skipIf(missingRuntime)('requests of one shape go together, others beside them', async () => {
  const model = await open(doubling, { batching: 'dynamic', batchMax: 8 });
  expect(model.inputs).toEqual([{ name: 'x', datatype: 'FP32', shape: [-1, -1] }]);
  const widths = [1, 3, 1, 3, 2, 1];
  const asked = widths.map((width, i) =>
    model.infer([floats('x', ...Array.from({ length: width }, () => i))], { tenant }),
  );
  const made = await Promise.all(asked);
  expect(made.map(numbersOf)).toEqual(
    widths.map((width, i) => Array.from({ length: width }, () => 2 * i)),
  );
  expect(made.map(([y]) => y?.shape)).toEqual(widths.map((width) => [1, width]));
  expect(model.stats().batches).toBeLessThan(widths.length);
});

test.skipIf(missingRuntime)('a request that fails in a batch fails alone', async () => {
  const model = await open(lookingUp, { batching: 'dynamic' });
  const asked = [0n, 9n, 3n].map(async (index) =>
    bigsOf(await model.infer([integers('index', index)], { tenant })),
  );
  const [first, second, third] = await Promise.allSettled(asked);
  expect(first).toEqual({ status: 'fulfilled', value: [10n] });
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'engine_failed' } });
  expect(third).toEqual({ status: 'fulfilled', value: [2n ** 60n + 1n] });
  expect(model.stats()).toMatchObject({ completed: 2, failed: 1, batches: 1 });
});

test.skipIf(missingRuntime)('a request may be several rows, but no more than a batch', async () => {
  const model = await open(lookingUp, { batching: 'dynamic', batchMax: 3 });
  expect(bigsOf(await model.infer([integers('index', 2n, 1n, 0n)], { tenant }))).toEqual([
    30n,
    20n,
    10n,
  ]);
  const four = model.infer([integers('index', 0n, 0n, 0n, 0n)], { tenant });
  await expect(four).rejects.toMatchObject({ code: 'invalid_argument' });
});

test.skipIf(missingRuntime)('tensors that the memory has no room for are refused', async () => {
  const model = await open(doubling, { batching: 'dynamic', tensorBytes: 4096 });
  const wide = floats('x', ...Array.from({ length: 1025 }, () => 1));
  await expect(model.infer([wide], { tenant })).rejects.toMatchObject({ code: 'value_too_large' });
  expect(numbersOf(await model.infer([floats('x', 4)], { tenant }))).toEqual([8]);
});

const stateful = { states: [{ input: 'total', output: 'totalN' }], batchMax: 4 };

function stepOf(id: string, start = false, end = false, of = tenant): InferOptions {
  return { tenant: of, sequence: { id, start, end } };
}

test.skipIf(missingRuntime).each(['direct', 'oldest'])(
  '%s: state stays with its sequence',
  async (batching) => {
    const model = await open(summing, { ...stateful, batching });
    expect(model.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(model.outputs.map(({ name }) => name)).toEqual(['sum']);
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const told = await Promise.all(
      ids.map(async (id, i) => {
        const sums: number[] = [];
        for (let step = 0; step < 5; step++) {
          const options = stepOf(id, step === 0, step === 4);
          sums.push(...numbersOf(await model.infer([floats('x', i + 1)], options)));
        }
        return sums;
      }),
    );
    expect(told).toEqual(ids.map((_, i) => [1, 2, 3, 4, 5].map((step) => step * (i + 1))));
    expect(model.stats().live).toBe(0);
  },
);

test.skipIf(missingRuntime)(
  'state goes one step, also where what was made together cannot be told apart',
  async () => {
    const graph: Graph = {
      ...summing,
      name: 'inseparable',
      outputs: [...summing.outputs, { name: 'all', element: 'float32', dims: ['one', 1] }],
      nodes: [
        ...summing.nodes,
        { op: 'ReduceSum', inputs: ['x', 'axis'], outputs: ['all'], attributes: { keepdims: 1 } },
      ],
    };
    const model = await open(graph, { ...stateful, batching: 'direct' });
    const ids = ['a', 'b', 'c'];
    for (const step of [1, 2, 3]) {
      const made = await Promise.all(
        ids.map((id) => model.infer([floats('x', 1)], stepOf(id, step === 1))),
      );
      expect(made.map(numbersOf)).toEqual(ids.map(() => [step]));
    }
    expect(model.stats()).toMatchObject({ completed: 9, batches: 3 });
  },
);

test.skipIf(missingRuntime)('a START begins with nothing, whatever the slot held', async () => {
  const model = await open(summing, { ...stateful, batching: 'direct', batchMax: 1 });
  await model.infer([floats('x', 1234)], stepOf('a', true));
  expect(numbersOf(await model.infer([floats('x', 1)], stepOf('a', true)))).toEqual([1]);
  expect(numbersOf(await model.infer([floats('x', 1)], stepOf('a', false, true)))).toEqual([2]);
  expect(numbersOf(await model.infer([floats('x', 7)], stepOf('b', true, true)))).toEqual([7]);
});

test.skipIf(missingRuntime)('the same id of two tenants is two sequences', async () => {
  const model = await open(summing, { ...stateful, batching: 'oldest' });
  await model.infer([floats('x', 5)], stepOf('7', true));
  const stranger = model.infer([floats('x', 1)], stepOf('7', false, false, 'globex'));
  await expect(stranger).rejects.toMatchObject({ code: 'unknown_sequence' });
  await model.infer([floats('x', 1)], stepOf('7', true, false, 'globex'));
  expect(numbersOf(await model.infer([floats('x', 5)], stepOf('7')))).toEqual([10]);
});

test.skipIf(missingRuntime)('what is kept of an input stands before the next one', async () => {
  const model = await open(doubling, {
    batching: 'direct',
    batchMax: 2,
    overlaps: [{ input: 'x', elements: 2 }],
  });
  const steps = [[1, 2, 3], [4], [5, 6]];
  const told: number[][] = [];
  for (const [i, step] of steps.entries())
    told.push(numbersOf(await model.infer([floats('x', ...step)], stepOf('a', i === 0))));
  expect(told).toEqual([
    [0, 0, 2, 4, 6],
    [4, 6, 8],
    [6, 8, 10, 12],
  ]);
});

test.skipIf(missingRuntime)(
  'a model that keeps state needs to be told of the sequence',
  async () => {
    const model = await open(summing, { ...stateful, batching: 'direct' });
    await expect(model.infer([floats('x', 1)], { tenant })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  },
);

test.skipIf(missingRuntime)('tensors that are not what they say are refused', async () => {
  const model = await open(doubling, { batching: 'dynamic', shapes: { x: [-1, 2] } });
  const right = floats('x', 1, 2);
  const wrong: Partial<TensorValue>[] = [
    { name: 'z' },
    { datatype: 'FP64' },
    { shape: [1, 1], data: new Uint8Array(4) },
    { shape: [2] },
    { shape: [0, 2], data: new Uint8Array(0) },
    { data: new Uint8Array(7) },
  ];
  for (const each of wrong) {
    const asked = model.infer([{ ...right, ...each }], { tenant });
    await expect(asked, JSON.stringify(each)).rejects.toMatchObject({ code: 'invalid_argument' });
  }
  await expect(model.infer([], { tenant })).rejects.toMatchObject({ code: 'invalid_argument' });
  expect(numbersOf(await model.infer([right], { tenant }))).toEqual([2, 4]);
});

test.skipIf(missingRuntime)('a closed model refuses, also what runs', async () => {
  const model = await open(doubling, {});
  const asked = model.infer([floats('x', 1)], { tenant });
  await Promise.all([
    expect(asked).rejects.toMatchObject({ code: 'engine_closed' }),
    model.close(),
  ]);
  await expect(model.infer([floats('x', 1)], { tenant })).rejects.toMatchObject({
    code: 'engine_closed',
  });
});

test.skipIf(missingRuntime)(
  'what is no model, or does not fit its settings, is refused',
  async () => {
    const refused = async (graph: Graph, settings: object): Promise<void> =>
      expect(open(graph, settings)).rejects.toMatchObject({ code: 'engine_model_invalid' });
    await refused({ ...doubling, nodes: [] }, {});
    await refused(summing, {
      ...stateful,
      batching: 'direct',
      states: [{ input: 'total', output: 'other' }],
    });
    await refused(summing, {
      ...stateful,
      batching: 'direct',
      states: [{ input: 'other', output: 'totalN' }],
    });
    await refused(doubling, { shapes: { x: [-1, -1, 3] } });
    await refused(doubling, { shapes: { z: [1] } });
    await refused(doubling, { shapes: { x: [1, 3] }, batching: 'dynamic' });
    await refused(doubling, { constants: { z: 1 } });
    await refused(summing, { constants: { x: [1, 2, 3], total: [1, 2] }, shapes: { sum: [2, 2] } });
  },
);

test('settings say what is wrong with them', async () => {
  const refused = (settings: object, word: RegExp): void => {
    expect(() => settingsFrom({ ...settings }, '/')).toThrow(word);
  };
  refused({ batching: 'often' }, /batching/);
  refused({ batchMax: 0 }, /batchMax/);
  refused({ wings: 2 }, /wings/);
  refused({ states: [{ input: 'x' }], batching: 'direct' }, /states/);
  refused({ states: [{ input: 'x', output: 'y' }], batching: 'dynamic' }, /direct or oldest/);
  refused({ overlaps: [{ input: 'x', elements: 0 }], batching: 'direct' }, /overlaps/);
  refused({ shapes: { x: [0] } }, /shapes/);
  refused({ constants: { x: 'y' } }, /constants/);
  refused({ file: 'npm:not-there-at-all/model.onnx' }, /not-there-at-all/);
  refused({ file: 7 }, /file/);
  const folder = await folderOfTest();
  expect(readSettings(folder)).toMatchObject({
    file: join(folder, 'model.onnx'),
    batching: 'none',
  });
  await writeFile(join(folder, 'model.json'), '{"batching":"dynamic","file":"other.onnx"}');
  expect(readSettings(folder)).toMatchObject({
    file: join(folder, 'other.onnx'),
    batching: 'dynamic',
  });
  await writeFile(join(folder, 'model.json'), '[]');
  expect(() => readSettings(folder)).toThrow(/JSON object/);
  expect(() => readSettings(join(folder, 'none.json'))).toThrow(/none\.json/);
});
