/** The shape of requests and answers, over an engine that only says its prompt again. */

import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { RawClient, testKey } from '../support/client.ts';
import { serve, type TestServer, type TestServerOptions } from '../support/serve.ts';
import { serveTenants } from '../support/tenants.ts';
import { fakeEngine, type FakeEngine } from './fake-engine.ts';

interface Chat extends TestServer {
  readonly engine: FakeEngine;
  readonly client: OpenAI;
}

async function serveChat(options: TestServerOptions = {}): Promise<Chat> {
  const engine = fakeEngine();
  const server = await serve({ engine, ...options });
  const client = new OpenAI({ apiKey: testKey, baseURL: `${server.url}/v1`, maxRetries: 0 });
  return { ...server, engine, client };
}

const messages = [{ role: 'user', content: 'call me Ishmael' }] as const;
const asked = { model: 'parrot', messages: [...messages] };

test('the client of OpenAI gets a chat completion', async () => {
  const { client, engine } = await serveChat();
  const sampling = { temperature: 0.5, seed: -7 };
  const completion = await client.chat.completions.create({ ...asked, ...sampling });
  expect(completion).toMatchObject({
    object: 'chat.completion',
    model: 'parrot',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'call me Ishmael' },
        finish_reason: 'stop',
      },
    ],
    usage: {
      prompt_tokens: 3,
      completion_tokens: 3,
      total_tokens: 6,
      prompt_tokens_details: { cached_tokens: 1 },
    },
  });
  expect(completion.id).toMatch(/^chatcmpl-[0-9a-f]{32}$/);
  expect(engine.requests[0]).toMatchObject({
    messages,
    temperature: 0.5,
    seed: 7,
    tenant: 'default',
  });
});

test('… and one in pieces, with what it has cost at the end', async () => {
  const { client } = await serveChat();
  const stream = await client.chat.completions.create({
    ...asked,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const [first] = chunks;
  expect(first?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(
    'call me Ishmael',
  );
  expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 6 } });
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
});

test('… a text completion, whole and in pieces', async () => {
  const { client } = await serveChat();
  const request = { model: 'parrot', prompt: 'there she blows', max_tokens: 2 };
  const whole = await client.completions.create(request);
  expect(whole.choices[0]).toMatchObject({ text: 'there she', finish_reason: 'length' });
  const texts: string[] = [];
  const stream = await client.completions.create({ ...request, stream: true });
  for await (const { choices } of stream) texts.push(choices[0]?.text ?? '');
  expect(texts).toEqual(['there', ' she', '']);
});

test('… the models, and one by its name', async () => {
  const { client } = await serveChat();
  const names: string[] = [];
  for await (const model of client.models.list()) names.push(model.id);
  expect(names).toEqual(['parrot']);
  expect(await client.models.retrieve('parrot')).toMatchObject({ object: 'model' });
  await expect(client.models.retrieve('gone')).rejects.toMatchObject({ status: 404 });
});

test('… and the errors it has classes for', async () => {
  const { client, engine, url } = await serveChat();
  const stranger = new OpenAI({ apiKey: 'wrong', baseURL: `${url}/v1`, maxRetries: 0 });
  await expect(stranger.chat.completions.create(asked)).rejects.toThrow(OpenAI.AuthenticationError);
  const other = client.chat.completions.create({ ...asked, model: 'gpt' });
  await expect(other).rejects.toThrow(OpenAI.NotFoundError);
  const hot = client.chat.completions.create({ ...asked, temperature: 3 });
  await expect(hot).rejects.toThrow(OpenAI.BadRequestError);
  engine.failNext('engine_busy', 0);
  const busy = client.chat.completions.create({ ...asked, stream: true });
  await expect(busy).rejects.toMatchObject({ status: 503, code: 'engine_busy' });
});

test('an error after the first token is the last event', async () => {
  const { client, engine } = await serveChat();
  engine.failNext('engine_worker_lost', 2);
  const texts: string[] = [];
  const reading = async (): Promise<void> => {
    const stream = await client.chat.completions.create({ ...asked, stream: true });
    for await (const { choices } of stream) texts.push(choices[0]?.delta.content ?? '');
  };
  await expect(reading()).rejects.toMatchObject({ code: 'engine_worker_lost' });
  expect(texts.join('')).toBe('call me');
});

test.each([true, false])('whoever leaves ends the work, stream: %s', async (stream) => {
  const { engine, url, server } = await serveChat();
  const release = engine.hold();
  const client = await RawClient.to(url);
  const body = JSON.stringify({ ...asked, stream });
  client.send(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${testKey}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until(() => engine.requests.length === 1);
  expect(engine.requests[0]?.signal?.aborted).toBe(false);
  await client.destroy();
  await until(() => engine.requests[0]?.signal?.aborted === true);
  await until(() => server.stats().running === 0);
  release();
});

test('without a model nothing is completed, and the list is empty', async () => {
  const { call } = await serve();
  expect((await call('GET', '/v1/models')).json()).toEqual({ object: 'list', data: [] });
  const answer = await call('POST', '/v1/chat/completions', { body: JSON.stringify(asked) });
  expect(answer.status).toBe(501);
  expect(answer.json()).toMatchObject({ error: { code: 'engine_missing', type: 'server_error' } });
});

const refused: readonly (readonly [string, object])[] = [
  ['no messages', { model: 'parrot' }],
  ['an empty list of messages', { ...asked, messages: [] }],
  ['a role that is not known', { ...asked, messages: [{ role: 'tool', content: 'x' }] }],
  ['a picture', { ...asked, messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }],
  ['no content', { ...asked, messages: [{ role: 'user', content: null }] }],
  ['several answers', { ...asked, n: 2 }],
  ['tools', { ...asked, tools: [{ type: 'function' }] }],
  ['JSON as the format', { ...asked, response_format: { type: 'json_object' } }],
  ['probabilities', { ...asked, logprobs: true }],
  ['a field that is not known', { ...asked, tempurature: 1 }],
  ['a temperature that is text', { ...asked, temperature: '1' }],
  ['no tokens', { ...asked, max_tokens: 0 }],
  ['half a token', { ...asked, max_tokens: 1.5 }],
  ['five stops', { ...asked, stop: ['a', 'b', 'c', 'd', 'e'] }],
  ['an empty stop', { ...asked, stop: '' }],
  ['too many messages', { ...asked, messages: Array.from({ length: 9 }, () => messages[0]) }],
];

test.each(refused)('%s: refused', async (_, body) => {
  const { call, engine } = await serveChat({ limits: { maxMessages: 8 } });
  const answer = await call('POST', '/v1/chat/completions', { body: JSON.stringify(body) });
  expect(answer.status).toBe(400);
  expect(answer.json()).toMatchObject({
    error: { code: 'invalid_argument', type: 'invalid_request_error', param: null },
  });
  expect(engine.requests).toEqual([]);
});

test.each(['[]', 'null', '', '{', '"x"'])('a body that is %s: refused', async (body) => {
  const { call } = await serveChat();
  const answer = await call('POST', '/v1/chat/completions', { body });
  expect(answer.status).toBe(400);
});

test('a body that is too large: refused', async () => {
  const { call } = await serveChat({ limits: { maxCompletionBytes: 100 } });
  const body = JSON.stringify({ ...asked, user: 'x'.repeat(100) });
  const answer = await call('POST', '/v1/chat/completions', { body });
  expect(answer.status).toBe(413);
  expect(answer.json()).toMatchObject({ error: { code: 'value_too_large' } });
});

test('what means nothing here is let through', async () => {
  const { client } = await serveChat();
  const harmless = {
    user: 'u',
    store: false,
    n: 1,
    presence_penalty: 0,
    logit_bias: {},
    tools: [],
  };
  const completion = await client.chat.completions.create({ ...asked, ...harmless, stop: null });
  expect(completion.choices[0]?.message.content).toBe('call me Ishmael');
});

test('texts come in pieces too, and a list of tokens is a prompt', async () => {
  const { client, engine } = await serveChat();
  const content = ['call ', 'me'].map((text) => ({ type: 'text' as const, text }));
  await client.chat.completions.create({ ...asked, messages: [{ role: 'user', content }] });
  expect(engine.requests[0]?.messages).toEqual([{ role: 'user', content: 'call me' }]);
  await client.completions.create({ model: 'parrot', prompt: [1, 2, 3] });
  expect(engine.requests[1]?.tokens).toEqual([1, 2, 3]);
});

test('a key that is revoked gets no more tokens', async () => {
  const engine = fakeEngine();
  const { guard, tenant, url } = await serveTenants({ engine });
  const apiKey = await tenant('acme');
  const [acme] = guard.tenants().filter(({ name }) => name === 'acme');
  const client = new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
  const release = engine.hold(1);
  const texts: string[] = [];
  const reading = async (): Promise<void> => {
    const stream = await client.chat.completions.create({ ...asked, stream: true });
    for await (const { choices } of stream) texts.push(choices[0]?.delta.content ?? '');
  };
  const read = reading();
  read.catch(() => {});
  await until(() => texts.includes('call'));
  const deleted = guard.administration.deleteTenant('acme');
  await until(() => guard.identify(apiKey) === undefined);
  release();
  await expect(read).rejects.toMatchObject({ code: 'unauthorized' });
  await deleted;
  expect(texts.join('')).toBe('call');
  // Whoever is called acme next is another tenant.
  expect(engine.requests[0]?.tenant).toBe(`acme@${acme?.createdAtMs}`);
});

test('events are lines of JSON, and the last one says that it is over', async () => {
  const { call } = await serveChat();
  const body = JSON.stringify({ ...asked, stream: true });
  const answer = await call('POST', '/v1/chat/completions', { body });
  expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  const events = answer.body.toString().split('\n\n');
  expect(events.splice(-2)).toEqual(['data: [DONE]', '']);
  for (const event of events) {
    expect(JSON.parse(event.replace(/^data: /, ''))).toMatchObject({ model: 'parrot' });
  }
});
