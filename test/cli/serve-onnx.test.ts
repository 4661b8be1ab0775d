/** A server with models on ONNX Runtime, as its users have it. */

import { writeFileSync } from 'node:fs';
import OpenAI from 'openai';
import { expect, it } from 'vitest';
import { writeModel } from '../../src/engine/onnx/model-writer.ts';
import { encoderFolder, missingEncoder, missingRuntime, summing } from '../engine/onnx/support.ts';
import { cenote, Scratch, Serving } from './support/cli.ts';

function writeSumming(scratch: Scratch): string {
  writeFileSync(scratch.join('summing.onnx'), writeModel(summing));
  const settings = scratch.join('summing.json');
  const states = [{ input: 'total', output: 'totalN' }];
  writeFileSync(settings, JSON.stringify({ file: 'summing.onnx', batching: 'direct', states }));
  return settings;
}

it.skipIf(missingRuntime)('serves a model with state from its settings', async () => {
  using scratch = new Scratch();
  const words = [
    '--http',
    '0',
    '--data',
    scratch.join('data'),
    '--onnx',
    `sum=${writeSumming(scratch)}`,
  ];
  const server = await Serving.start(words);
  const step = async (value: number, sequence_start: boolean): Promise<unknown> => {
    const parameters = { sequence_id: 9, sequence_start };
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [value] }];
    const body = JSON.stringify({ parameters, inputs });
    return (await server.request('POST', '/v2/models/sum/infer', body)).json();
  };
  expect(await step(2, true)).toMatchObject({ outputs: [{ name: 'sum', data: [2] }] });
  expect(await step(3, false)).toMatchObject({ outputs: [{ name: 'sum', data: [5] }] });
  expect((await server.stop()).code).toBe(0);
});

it.skipIf(missingEncoder)('serves embeddings, which a kill -9 does not lose', async () => {
  using scratch = new Scratch();
  const words = [
    '--http',
    '0',
    '--data',
    scratch.join('data'),
    '--embeddings',
    encoderFolder as string,
  ];
  const input = ['Call me Ishmael.'];
  const embed = async (
    server: Serving,
    apiKey: string,
  ): Promise<OpenAI.CreateEmbeddingResponse> => {
    const client = new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0 });
    return client.embeddings.create({ model: 'use-lite-en', input });
  };
  const first = await Serving.start(words);
  const { key } = first;
  const told = await embed(first, key);
  expect(told.usage).toMatchObject({ cached_inputs: 0 });
  await first.stop('SIGKILL');
  const second = await Serving.start(words);
  const again = await embed(second, key);
  expect(again.data).toEqual(told.data);
  expect(again.usage).toMatchObject({ prompt_tokens: 7, cached_inputs: 1 });
  expect((await second.stop()).code).toBe(0);
});

it('does not start with what is not there', async () => {
  using scratch = new Scratch();
  const start = async (...words: string[]): Promise<string> => {
    const { code, stderr } = await cenote([
      'serve',
      '--http',
      '0',
      '--data',
      scratch.join('data'),
      ...words,
    ]);
    expect(code).not.toBe(0);
    return stderr;
  };
  expect(await start('--embeddings', scratch.join('none'))).toMatch(/no model\.json/);
  expect(await start('--onnx', 'nothing')).toMatch(/not NAME=PATH/);
  expect(await start('--onnx', `a=${scratch.join('none.json')}`)).toMatch(/none\.json/);
});
