/** `/v1/embeddings`, as the client of OpenAI asks for them. */

import OpenAI from 'openai';
import { expect, test } from 'vitest';
import type { Embedder, EmbedOptions, EmbeddingInput } from '../../../src/engine/onnx/api.ts';
import { CenoteError, fail } from '../../../src/errors.ts';
import { missingEncoder, testEmbedder } from '../../engine/onnx/support.ts';
import { until } from '../../support/until.ts';
import { RawClient, testKey } from '../support/client.ts';
import { serve, type TestServer } from '../support/serve.ts';
import { serveTenants } from '../support/tenants.ts';

interface FakeEmbedder extends Embedder {
  readonly asked: { inputs: readonly EmbeddingInput[]; options: EmbedOptions }[];
  /** The next call waits until it is given up. */
  hang: boolean;
}

/** Vectors of three numbers: how long an input is, and twice that, and a third. */
function fakeEmbedder(): FakeEmbedder {
  const fake: FakeEmbedder = {
    name: 'ruler',
    description: 'measures',
    width: 3,
    tokensMax: 8,
    inputsMax: 2048,
    asked: [],
    hang: false,
    async embed(inputs, options) {
      fake.asked.push({ inputs, options });
      if (inputs.includes('')) fail('invalid_argument', 'Input 0 is empty.');
      if (fake.hang) await until(() => options.signal?.aborted === true);
      if (options.signal?.aborted === true) throw new CenoteError('aborted', 'Gone.');
      const vectors = inputs.map(({ length }) => Float32Array.of(length, 2 * length, length / 3));
      return { vectors, promptTokens: 5 * inputs.length, cached: 0 };
    },
    stats: () => ({ inputs: 0, hits: 0, unkept: 0, batches: 0, rows: 0 }),
    close: () => Promise.resolve(),
  };
  return fake;
}

interface Embedding extends TestServer {
  readonly embedder: FakeEmbedder;
  readonly client: OpenAI;
}

function clientOf(url: string): OpenAI {
  return new OpenAI({ apiKey: testKey, baseURL: `${url}/v1`, maxRetries: 0 });
}

async function serveEmbeddings(): Promise<Embedding> {
  const embedder = fakeEmbedder();
  const server = await serve({ embedder });
  return { ...server, embedder, client: clientOf(server.url) };
}

test('the client gets a vector per input, as numbers and as base64', async () => {
  const { client, embedder } = await serveEmbeddings();
  // The client asks for base64 by itself where nothing is said.
  const plain = await client.embeddings.create({ model: 'ruler', input: ['one', 'twelve'] });
  const vectors = [
    [3, 6, 1],
    [6, 12, 2],
  ];
  expect(plain).toMatchObject({
    object: 'list',
    model: 'ruler',
    data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    usage: { prompt_tokens: 10, total_tokens: 10, cached_inputs: 0 },
  });
  const asked = { model: 'ruler', input: 'one' };
  const floats = await client.embeddings.create({ ...asked, encoding_format: 'float' });
  expect(floats.data[0]?.embedding).toEqual(vectors[0]);
  const texts = await client.embeddings.create({ ...asked, encoding_format: 'base64' });
  const bytes = Buffer.from(texts.data[0]?.embedding as unknown as string, 'base64');
  expect(bytes.readFloatLE(4)).toBe(6);
  expect(embedder.asked[0]?.options).toMatchObject({ tenant: 'default' });
});

test('inputs are texts or tokens, one or many', async () => {
  const { client, embedder } = await serveEmbeddings();
  const inputs: OpenAI.EmbeddingCreateParams['input'][] = [
    'a',
    ['a', 'b'],
    [1, 2, 3],
    [[1], [2, 3]],
  ];
  for (const input of inputs)
    await client.embeddings.create({ model: 'ruler', input, dimensions: 3 });
  expect(embedder.asked.map((asked) => asked.inputs)).toEqual([
    ['a'],
    ['a', 'b'],
    [[1, 2, 3]],
    [[1], [2, 3]],
  ]);
});

test('what cannot be done is refused with its code', async () => {
  const { call, embedder } = await serveEmbeddings();
  const right = { model: 'ruler', input: 'one' };
  const wrong: [number, string, object][] = [
    [404, 'not_found', { ...right, model: 'other' }],
    [400, 'invalid_argument', { input: 'one' }],
    [400, 'invalid_argument', { model: 'ruler' }],
    [400, 'invalid_argument', { ...right, input: [] }],
    [400, 'invalid_argument', { ...right, input: '' }],
    [400, 'invalid_argument', { ...right, input: 7 }],
    [400, 'invalid_argument', { ...right, input: ['a', 7] }],
    [400, 'invalid_argument', { ...right, input: [1, 'a'] }],
    [400, 'invalid_argument', { ...right, input: [[1.5]] }],
    [400, 'invalid_argument', { ...right, input: Array.from({ length: 2049 }, () => 'a') }],
    [400, 'invalid_argument', { ...right, dimensions: 2 }],
    [400, 'invalid_argument', { ...right, encoding_format: 'hex' }],
    [400, 'invalid_argument', { ...right, truncate_prompt_tokens: 0 }],
    [400, 'invalid_argument', { ...right, wings: 2 }],
  ];
  for (const [status, code, body] of wrong) {
    const answer = await call('POST', '/v1/embeddings', { body: JSON.stringify(body) });
    expect(answer.status, JSON.stringify(body).slice(0, 80)).toBe(status);
    expect(answer.json()['error']).toMatchObject({ code });
  }
  expect(embedder.asked.map(({ inputs }) => inputs)).toEqual([['']]);
});

test('a body that is too large is refused before it is read', async () => {
  const server = await serve({ embedder: fakeEmbedder(), limits: { maxEmbeddingBytes: 100 } });
  const body = JSON.stringify({ model: 'ruler', input: 'x'.repeat(100) });
  expect((await server.call('POST', '/v1/embeddings', { body })).status).toBe(413);
});

test('a text is cut where that is asked for', async () => {
  const { call, embedder } = await serveEmbeddings();
  for (const truncate_prompt_tokens of [-1, 4, null])
    await call('POST', '/v1/embeddings', {
      body: JSON.stringify({ model: 'ruler', input: 'x', truncate_prompt_tokens }),
    });
  expect(embedder.asked.map(({ options }) => options.truncateTokens)).toEqual([8, 4, undefined]);
});

test('the model stands among the others', async () => {
  const { client } = await serveEmbeddings();
  const { data } = await client.models.list();
  expect(data).toMatchObject([{ id: 'ruler', object: 'model', context_length: 8 }]);
  expect(await client.models.retrieve('ruler')).toMatchObject({ id: 'ruler' });
});

test('without a model the answer says so', async () => {
  const { url } = await serve();
  const asked = clientOf(url).embeddings.create({ model: 'ruler', input: 'x' });
  await expect(asked).rejects.toMatchObject({ status: 501, code: 'onnx_missing' });
});

test('keys that may only read get no vectors, and each tenant has its own', async () => {
  const embedder = fakeEmbedder();
  const { call, tenant } = await serveTenants({ embedder });
  const body = JSON.stringify({ model: 'ruler', input: 'x' });
  for (const key of [await tenant('acme'), await tenant('globex')])
    expect((await call('POST', '/v1/embeddings', { body, key })).status).toBe(200);
  const tenants = embedder.asked.map(({ options }) => options.tenant);
  expect(new Set(tenants).size).toBe(2);
  const key = await tenant('reader', {}, ['ctx:read']);
  expect((await call('POST', '/v1/embeddings', { body, key })).status).toBe(403);
});

test('whoever leaves is not computed for', async () => {
  const { embedder, url } = await serveEmbeddings();
  embedder.hang = true;
  const body = JSON.stringify({ model: 'ruler', input: 'x' });
  const client = await RawClient.to(url);
  client.send(
    `POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until(() => embedder.asked.length === 1);
  await client.destroy();
  await until(() => embedder.asked[0]?.options.signal?.aborted === true);
});

test('vectors of real texts: what means the same is close', async ({ skip }) => {
  if (missingEncoder) skip();
  const { embedder } = await testEmbedder();
  const { url } = await serve({ embedder });
  const input = [
    'How old are you?',
    'What is your age?',
    'The whale sounded at dawn.',
    '日本語 🐳',
  ];
  const client = clientOf(url);
  const { data } = await client.embeddings.create({ model: 'use-lite-en', input });
  const [first = [], ...others] = data.map(({ embedding }) => embedding);
  const close = others.map((other) => other.reduce((sum, v, i) => sum + v * (first[i] ?? 0), 0));
  expect(close[0]).toBeGreaterThan(0.8);
  expect(Math.max(...close.slice(1))).toBeLessThan(0.6);
  const known = { model: 'use-lite-en', input: input.slice(0, 2) };
  expect((await client.embeddings.create(known)).usage.prompt_tokens).toBe(5 + 5);
});
