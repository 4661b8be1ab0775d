/** A server with models on ONNX Runtime, as its users have it. */

import { symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { expect, it } from 'vitest';
import { writeModel } from '../../src/engine/onnx/model-writer.ts';
import {
  encoderFolder,
  missingEncoder,
  missingRuntime,
  missingVad,
  summing,
} from '../engine/onnx/support.ts';
import { readMarkdown } from '../support/markdown.ts';
import { cenote, runNode, Scratch, Serving } from './support/cli.ts';

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

/** Lines of the README that have `word` in them, run against a server. @returns what they have printed */
async function runReadme(word: string, server: Serving, scratch: Scratch): Promise<string> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { blocks } = readMarkdown(`${root}README.md`);
  const lines = blocks.find(({ code }) => code.includes(word))?.code ?? '';
  const file = scratch.join('lines.mjs');
  writeFileSync(file, lines.replaceAll('http://127.0.0.1:8080', server.url));
  symlinkSync(`${root}node_modules`, scratch.join('node_modules'));
  const { code, stdout, stderr } = await runNode([file], { CENOTE_API_KEY: server.key });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

it.skipIf(missingEncoder)('makes embeddings as the README says', async () => {
  using scratch = new Scratch();
  const words = ['--http', '0', '--data', scratch.join('data')];
  // An empty variable counts as not set: the model that is installed is taken.
  const server = await Serving.start(words, { CENOTE_EMBEDDINGS: '' });
  const printed = await runReadme('client.embeddings.create', server, scratch);
  expect(printed).toBe('0.85 0.05 19\n');
  await server.stop();
});

it.skipIf(missingVad)('hears as the README says', async () => {
  using scratch = new Scratch();
  const settings = fileURLToPath(new URL('../../models/silero-vad.json', import.meta.url));
  const words = ['--http', '0', '--data', scratch.join('data'), '--onnx', `vad=${settings}`];
  const server = await Serving.start(words);
  const printed = await runReadme('/v2/models/vad/infer', server, scratch);
  const heard = printed.trim().split('\n').map(Number);
  expect(heard).toHaveLength(2);
  for (const probability of heard) expect(probability).toBeGreaterThan(0);
  expect(heard[0]).not.toBe(heard[1]);
  await server.stop();
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
