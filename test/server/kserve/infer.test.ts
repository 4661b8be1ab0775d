/** KServe's inference protocol, over models that are small enough to know what they say. */

import { expect, test } from 'vitest';
import { TextModel } from '../../../src/engine/onnx/text-model.ts';
import { bytesOfTexts } from '../../../src/engine/onnx/texts.ts';
import {
  doubling,
  lookingUp,
  missingEncoder,
  missingRuntime,
  summing,
  testEmbedder,
} from '../../engine/onnx/support.ts';
import { serve } from '../support/serve.ts';
import { ask, askBinary, errorOf, graphModel, stateful, x } from './support.ts';

function floats(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

test.skipIf(missingRuntime)('the server and its models say what they are', async () => {
  const { call, server } = await serve({ inferModels: [await graphModel(doubling)] });
  expect((await call('GET', '/v2')).json()).toMatchObject({ name: 'cenote', version: '2' });
  expect((await call('GET', '/v2/health/live', { key: null })).json()).toEqual({ live: true });
  expect((await call('GET', '/v2/health/ready', { key: null })).json()).toEqual({ ready: true });
  const told = {
    name: 'doubling',
    versions: ['1'],
    platform: 'onnxruntime_onnx',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, -1] }],
  };
  for (const path of ['/v2/models/doubling', '/v2/models/doubling/versions/1']) {
    expect((await call('GET', path)).json()).toEqual(told);
    expect((await call('GET', `${path}/ready`)).json()).toEqual({ name: 'doubling', ready: true });
  }
  for (const path of ['/v2/models/other', '/v2/models/doubling/versions/2']) {
    const answer = await call('GET', path);
    expect(answer.status).toBe(404);
    expect(errorOf(answer)).toMatch(/^There is no model .*\(not_found\)$/);
  }
  server.drain();
  expect((await call('GET', '/v2/health/ready', { key: null })).status).toBe(503);
});

test.skipIf(missingRuntime)('tensors as JSON, nested or not', async () => {
  const { call } = await serve({ inferModels: [await graphModel(doubling)] });
  const answer = await ask(call, 'doubling', { id: 'seven', inputs: [x(1, 2.5)] });
  expect(answer.json()).toEqual({
    id: 'seven',
    model_name: 'doubling',
    model_version: '1',
    outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 2], data: [2, 5] }],
  });
  const nested = {
    name: 'x',
    datatype: 'FP32',
    shape: [2, 2],
    data: [
      [1, 2],
      [3, 4],
    ],
  };
  const outputs = [{ name: 'y' }];
  const versioned = await call('POST', '/v2/models/doubling/versions/1/infer', {
    body: JSON.stringify({ inputs: [nested], outputs }),
  });
  expect(versioned.json()['outputs']).toMatchObject([{ shape: [2, 2], data: [2, 4, 6, 8] }]);
});

test.skipIf(missingRuntime)('tensors as bytes, in and out', async () => {
  const { call } = await serve({ inferModels: [await graphModel(doubling)] });
  const inputs = [{ ...x(0, 0, 0), data: undefined, parameters: { binary_data_size: 12 } }];
  const outputs = [{ name: 'y', parameters: { binary_data: true } }];
  const answer = await askBinary(call, 'doubling', { inputs, outputs }, floats(1, 2, 3));
  const end = Number(answer.headers['inference-header-content-length']);
  expect(answer.headers['content-type']).toBe('application/octet-stream');
  expect(JSON.parse(answer.body.subarray(0, end).toString())).toMatchObject({
    outputs: [{ name: 'y', shape: [1, 3], parameters: { binary_data_size: 12 } }],
  });
  expect(new Uint8Array(answer.body.subarray(end))).toEqual(floats(2, 4, 6));
  const parameters = { binary_data_output: true };
  const all = await askBinary(call, 'doubling', { inputs, parameters }, floats(4, 5, 6));
  expect(new Uint8Array(all.body.subarray(-12))).toEqual(floats(8, 10, 12));
});

test.skipIf(missingRuntime)('whole numbers of 64 bits keep their digits', async () => {
  const { call } = await serve({ inferModels: [await graphModel(lookingUp)] });
  const index = { name: 'index', datatype: 'INT64', shape: [2, 1], data: [3, 0] };
  const answer = await ask(call, 'looking-up', { inputs: [index] });
  expect(answer.body.toString()).toContain('"data":[1152921504606846977,10]');
  const beyond = await ask(call, 'looking-up', { inputs: [{ ...index, data: [2 ** 60, 0] }] });
  expect(errorOf(beyond)).toMatch(/INT64.*\(invalid_argument\)/);
});

test.skipIf(missingRuntime)('what does not fit is refused before the model sees it', async () => {
  const model = await graphModel(doubling, { shapes: { x: [-1, 2] }, batchMax: 4 });
  const { call, errors } = await serve({ inferModels: [model] });
  const right = x(1, 2);
  const wrong: [RegExp, object][] = [
    [/JSON object/, []],
    [/inputs must be a list/, {}],
    [/expected 1 inputs but got 0 inputs for model 'doubling'/, { inputs: [] }],
    [/expected 1 inputs but got 2/, { inputs: [right, right] }],
    [/unexpected inference input "z"/, { inputs: [{ ...right, name: 'z' }] }],
    [/datatype FP32; got "FP64"/, { inputs: [{ ...right, datatype: 'FP64' }] }],
    [/expected \[-1,2\], got \[1,3\]/, { inputs: [{ ...right, shape: [1, 3] }] }],
    [/expected \[-1,2\], got \[2\]/, { inputs: [{ ...right, shape: [2] }] }],
    [/sizes from 1/, { inputs: [{ ...right, shape: [0, 2] }] }],
    [/sizes from 1/, { inputs: [{ ...right, shape: [-1, 2] }] }],
    [/sizes from 1/, { inputs: [{ ...right, shape: '1,2' }] }],
    [/has 2 elements; got 1/, { inputs: [{ ...right, data: [1] }] }],
    [/has 2 elements/, { inputs: [{ ...right, data: 'ab' }] }],
    [/FP32; got null/, { inputs: [{ ...right, data: [1, null] }] }],
    [/FP32; got 1e\+39/, { inputs: [{ ...right, data: [1, 1e39] }] }],
    [/either data or binary_data_size/, { inputs: [{ ...right, data: undefined }] }],
    [
      /1 bytes; 0 are left/,
      { inputs: [{ ...right, data: undefined, parameters: { binary_data_size: 1 } }] },
    ],
    [
      /from 1 to 4; got 5/,
      { inputs: [{ ...right, shape: [5, 2], data: Array.from({ length: 10 }, () => 1) }] },
    ],
    [/unexpected inference output "z"/, { inputs: [right], outputs: [{ name: 'z' }] }],
    [/asked for twice/, { inputs: [right], outputs: [{ name: 'y' }, { name: 'y' }] }],
    [
      /classification/,
      { inputs: [right], outputs: [{ name: 'y', parameters: { classification: 1 } }] },
    ],
    [/priority must be/, { inputs: [right], parameters: { priority: -1 } }],
  ];
  for (const [told, request] of wrong) {
    const answer = await ask(call, 'doubling', request);
    expect(errorOf(answer), JSON.stringify(request)).toMatch(told);
    expect(errorOf(answer)).toMatch(/\(invalid_argument\)$/);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json())).toEqual(['error']);
  }
  expect(model.stats().accepted).toBe(0);
  expect(errors).toEqual([]);
});

test.skipIf(missingRuntime)(
  'bytes that are too few, too many, or not there are refused',
  async () => {
    const { call } = await serve({ inferModels: [await graphModel(doubling)] });
    const sized = (binary_data_size: number): object => ({
      inputs: [{ ...x(0, 0), data: undefined, parameters: { binary_data_size } }],
    });
    const refused = async (told: RegExp, request: object, bytes: Uint8Array): Promise<void> =>
      expect(errorOf(await askBinary(call, 'doubling', request, bytes))).toMatch(told);
    await refused(/8 bytes; 4 are left/, sized(8), floats(1));
    await refused(/take 8 of the 12 bytes/, sized(8), floats(1, 2, 3));
    await refused(/has 2 elements; got 1/, sized(4), floats(1));
    await refused(/has 2 elements; got 1.75/, sized(7), new Uint8Array(7));
    const long = await call('POST', '/v2/models/doubling/infer', {
      body: '{}',
      headers: { 'Inference-Header-Content-Length': '3' },
    });
    expect(errorOf(long)).toMatch(/said to have 3 of 2 bytes/);
    const odd = await call('POST', '/v2/models/doubling/infer', {
      body: '{}',
      headers: { 'Inference-Header-Content-Length': '-1' },
    });
    expect(errorOf(odd)).toMatch(/number of bytes/);
  },
);

test('the sentence encoder takes texts', async ({ skip }) => {
  if (missingEncoder) skip();
  const { embedder } = await testEmbedder();
  const { call } = await serve({ inferModels: [new TextModel(embedder)] });
  const data = ['call me', 'Ishmael 🐳'];
  const text = { name: 'text', datatype: 'BYTES', shape: [2], data };
  const told = await ask(call, 'use-lite-en', { inputs: [text] });
  const [embedding] = told.json()['outputs'] as { shape: number[]; data: number[] }[];
  expect(embedding?.shape).toEqual([2, 512]);
  const bytes = bytesOfTexts(data.map((each) => Buffer.from(each)));
  const binary = { ...text, data: undefined, parameters: { binary_data_size: bytes.length } };
  const again = await askBinary(call, 'use-lite-en', { inputs: [binary] }, bytes);
  expect(again.json()['outputs']).toEqual([embedding]);
  expect(embedder.stats()).toMatchObject({ inputs: 4, hits: 2 });
  const one = { ...text, shape: [1], data: ['word '.repeat(200)] };
  expect(errorOf(await ask(call, 'use-lite-en', { inputs: [one] }))).toMatch(
    /engine_prompt_too_long/,
  );
  const broken = bytesOfTexts([Uint8Array.of(0xff)]);
  const sized = { ...binary, shape: [1], parameters: { binary_data_size: broken.length } };
  expect(errorOf(await askBinary(call, 'use-lite-en', { inputs: [sized] }, broken))).toMatch(
    /UTF-8/,
  );
});

test.skipIf(missingRuntime)(
  'a request that waits for others longer than its timeout is refused',
  async () => {
    const model = await graphModel(doubling, {
      batchMax: 2,
      queueDelayMs: 60_000,
      priorityLevels: 2,
    });
    const { call } = await serve({ inferModels: [model] });
    const late = await ask(call, 'doubling', { inputs: [x(1)], parameters: { timeout: 1000 } });
    expect(late.status).toBe(504);
    expect(errorOf(late)).toMatch(/\(engine_deadline\)$/);
    const request = { inputs: [x(1)], parameters: { timeout: 600_000_000, priority: 2 } };
    const both = await Promise.all([
      ask(call, 'doubling', request),
      ask(call, 'doubling', request),
    ]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    const third = await ask(call, 'doubling', { inputs: [x(1)], parameters: { priority: 3 } });
    expect(errorOf(third)).toMatch(/priority.*\(invalid_argument\)$/);
  },
);

test.skipIf(missingRuntime)('what models do is on the page of metrics', async () => {
  const { call } = await serve({ inferModels: [await graphModel(summing, stateful)] });
  const parameters = { sequence_id: 1, sequence_start: true };
  await ask(call, 'summing', { inputs: [x(1)], parameters });
  const page = (await call('GET', '/metrics')).body.toString();
  expect(page).toContain('cenote_infer_requests_total{model="summing"} 1\n');
  expect(page).toContain('cenote_infer_answers_total{model="summing",outcome="completed"} 1\n');
  expect(page).toContain('cenote_infer_sequences{model="summing"} 1\n');
});

test.skipIf(missingRuntime)(
  'models have names that stand in paths and labels, each another',
  async () => {
    const model = await graphModel(doubling);
    await expect(serve({ inferModels: [model, model] })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const odd = Object.assign(Object.create(model) as typeof model, { name: 'a"b' });
    await expect(serve({ inferModels: [odd] })).rejects.toMatchObject({ code: 'invalid_argument' });
  },
);

test('without models there are none', async () => {
  const { call } = await serve();
  expect(errorOf(await ask(call, 'vad', { inputs: [] }))).toBe(
    'There is no model "vad" here. (not_found)',
  );
  expect((await ask(call, 'vad', {}, { key: null })).status).toBe(401);
});
