/** Completions over llama.cpp, with a random model. */

import OpenAI from 'openai';
import { expect, test } from 'vitest';
import type { EngineOptions, LlamaEngine } from '../../../src/engine/api.ts';
import { engine as openTestEngine, missingEngine } from '../../engine/support/models.ts';
import { until } from '../../support/until.ts';
import { testKey } from '../support/client.ts';
import { serve } from '../support/serve.ts';

const missing = missingEngine();

interface Chat {
  readonly engine: LlamaEngine;
  readonly client: OpenAI;
  readonly model: string;
}

async function serveChat(options: Partial<EngineOptions> = {}): Promise<Chat> {
  const engine = await openTestEngine(options);
  const { url } = await serve({ engine });
  const client = new OpenAI({ apiKey: testKey, baseURL: `${url}/v1`, maxRetries: 0 });
  return { engine, client, model: engine.models()[0]?.name ?? '' };
}

/** Short answers, the same each time. */
function asked(model: string, content = 'There she blows') {
  const messages = [{ role: 'user' as const, content }];
  return { model, messages, max_tokens: 24, temperature: 0, ignore_eos: true };
}

test.skipIf(missing)('pieces are together what is said at once', async () => {
  const { client, model } = await serveChat();
  const whole = await client.chat.completions.create(asked(model));
  const stream = await client.chat.completions.create({ ...asked(model), stream: true });
  const pieces: string[] = [];
  for await (const { choices } of stream) pieces.push(choices[0]?.delta.content ?? '');
  expect(pieces.join('')).toBe(whole.choices[0]?.message.content);
  expect(whole.choices[0]?.finish_reason).toBe('length');
  expect(whole.usage?.completion_tokens).toBe(24);
});

test.skipIf(missing)('a stop text ends the answer before it', async () => {
  const { client, model } = await serveChat();
  const whole = await client.chat.completions.create(asked(model));
  const text = whole.choices[0]?.message.content ?? '';
  const stop = text.slice(4, 7);
  const cut = await client.chat.completions.create({ ...asked(model), stop });
  expect(cut.choices[0]).toMatchObject({
    message: { content: text.slice(0, text.indexOf(stop)) },
    finish_reason: 'stop',
  });
});

test.skipIf(missing)('the same seed draws the same', async () => {
  const { client, model } = await serveChat();
  const draw = async (seed: number): Promise<string> => {
    const drawn = { ...asked(model), temperature: 1, seed };
    const { choices } = await client.chat.completions.create(drawn);
    return choices[0]?.message.content ?? '';
  };
  const first = await draw(5);
  expect(await draw(5)).toBe(first);
  expect(await draw(6)).not.toBe(first);
});

test.skipIf(missing)('a prompt that is too long is refused with its code', async () => {
  const { client, model } = await serveChat({ contextTokens: 64 });
  const long = client.chat.completions.create(asked(model, 'word '.repeat(100)));
  await expect(long).rejects.toMatchObject({ status: 400, code: 'engine_prompt_too_long' });
});

test.skipIf(missing)('whoever leaves frees the place', async () => {
  const { client, engine, model } = await serveChat({ contextTokens: 2048, sequences: 1 });
  const endless = { ...asked(model), max_tokens: 1900, stream: true as const };
  const stream = await client.chat.completions.create(endless);
  for await (const { choices } of stream) if (choices[0]?.delta.content) break;
  await until(() => engine.stats().cancelled === 1 && engine.stats().running === 0);
  const next = await client.chat.completions.create(asked(model));
  expect(next.usage?.completion_tokens).toBe(24);
});

test.skipIf(missing)('an engine that is closed answers with a code', async () => {
  const { client, engine, model } = await serveChat();
  await engine.close();
  const late = client.chat.completions.create(asked(model));
  await expect(late).rejects.toMatchObject({ status: 503, code: 'engine_closed' });
});
