/** A server with a model, as its users have it: conversations that go on, also after kill -9, and each tenant for itself. */

import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, expect, it } from 'vitest';
import { writeRandomModel } from '../../src/engine/gguf/llama-model.ts';
import { readMarkdown } from '../support/markdown.ts';
import { missingEngine } from '../engine/support/models.ts';
import { until } from '../support/until.ts';
import { cenote, program, runNode, Scratch, Serving, shell } from './support/cli.ts';

type Message = OpenAI.ChatCompletionMessageParam;

const missing = missingEngine();
const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const modelFile = scratch.join('tiny.gguf');
const shape = { layers: 2, width: 64, heads: 2, kvHeads: 1, vocabulary: 512, contextTokens: 1024 };
writeRandomModel(modelFile, { ...shape, seed: 3 });

/** State is found again in pieces of 64 tokens: these are more. */
const firstWords =
  'Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, ' +
  'and nothing particular to interest me on shore, I thought I would sail about a little.';

function clientOf(server: Serving, apiKey: string): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0 });
}

interface Turn {
  readonly messages: readonly Message[];
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** Asks, and adds the answer to the conversation. */
async function say(client: OpenAI, before: readonly Message[], content: string): Promise<Turn> {
  const messages: Message[] = [...before, { role: 'user', content }];
  const request = { model: 'tiny', messages, max_tokens: 16, temperature: 0, ignore_eos: true };
  const { choices, usage } = await client.chat.completions.create(request);
  const answer: Message = { role: 'assistant', content: choices[0]?.message.content ?? '' };
  return {
    messages: [...messages, answer],
    promptTokens: usage?.prompt_tokens ?? 0,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
  };
}

/** Says the same again until its state has been written: that happens beside the answers. */
async function sayUntilCached(
  client: OpenAI,
  before: readonly Message[],
  content: string,
): Promise<Turn> {
  let turn = await say(client, before, content);
  await until(async () => {
    turn = await say(client, before, content);
    return turn.cachedTokens > 0;
  });
  return turn;
}

it.skipIf(missing)(
  'goes on with a conversation, also after kill -9, for its tenant only',
  async () => {
    using data = new Scratch();
    const words = ['--http', '0', '--data', data.join('data'), '--model', modelFile];
    const server = await Serving.start(words);
    expect(server.banner).toContain('tiny');
    const { key } = server;
    const first = await sayUntilCached(clientOf(server, key), [], firstWords);
    const second = await say(clientOf(server, key), first.messages, 'And then?');
    expect(second.cachedTokens).toBeGreaterThanOrEqual(first.cachedTokens);
    expect(second.promptTokens).toBeGreaterThan(first.promptTokens);
    await server.stop('SIGKILL');

    const folder = ['--data', data.join('data')];
    await cenote(['tenants', 'set', 'acme', '--capacity', '16MiB', ...folder]);
    const made = await cenote(['keys', 'create', '--tenant', 'acme', '--json', ...folder]);
    const other = (JSON.parse(made.stdout) as { key: string }).key;
    const again = await Serving.start(words);
    const third = await say(clientOf(again, key), second.messages, 'And at last?');
    expect(third.cachedTokens).toBeGreaterThanOrEqual(first.cachedTokens);
    const stranger = await say(clientOf(again, other), second.messages, 'And at last?');
    expect(stranger.promptTokens).toBe(third.promptTokens);
    expect(stranger.cachedTokens).toBe(0);
    // What was computed for a tenant goes with it.
    const parts = async (): Promise<number> => {
      const { stdout } = await cenote(['inspect', data.join('data/engine'), '--json']);
      return (JSON.parse(stdout) as { parts: number }).parts;
    };
    await sayUntilCached(clientOf(again, other), second.messages, 'And at last?');
    const most = await parts();
    await cenote(['tenants', 'delete', 'acme', '--yes', ...folder]);
    await until(async () => (await parts()) < most);
    const fourth = await say(clientOf(again, key), third.messages, 'The end?');
    expect(fourth.cachedTokens).toBeGreaterThanOrEqual(first.cachedTokens);
    expect((await again.stop()).code).toBe(0);
  },
);

it.skipIf(missing)('is talked to with `cenote chat`', async () => {
  using data = new Scratch();
  const words = ['--http', '0', '--data', data.join('data'), '--model', modelFile, '--no-auth'];
  const server = await Serving.start(words);
  const chat = `'${process.execPath}' '${program}' chat --url ${server.url} --max-tokens 8`;
  const line = `printf '%s\\n' '${firstWords}' 'And then?'`;
  const asJson = await shell(`${line} | ${chat} --json`);
  expect(asJson.stderr).toBe('');
  const turns = asJson.stdout.trimEnd().split('\n');
  expect(turns.map((turn) => JSON.parse(turn) as object)).toEqual(
    Array.from({ length: 2 }, () => ({
      text: expect.any(String) as string,
      firstTokenMs: expect.any(Number) as number,
      totalMs: expect.any(Number) as number,
      promptTokens: expect.any(Number) as number,
      cachedTokens: expect.any(Number) as number,
      completionTokens: expect.any(Number) as number,
    })),
  );
  const asText = await shell(`${line} | ${chat}`);
  expect(asText.code).toBe(0);
  expect(asText.stderr).toMatch(
    /first token after \d+ ms · \d+ of \d+ prompt tokens cached · \d+ tokens/,
  );
  const lost = await shell(`${line} | ${chat} --model gone`);
  expect(lost).toMatchObject({ code: 1, stdout: '' });
  expect(lost.stderr).toContain('error[not_found]');
  await server.stop();
  expect((await shell(`${line} | ${chat}`)).stderr).toContain('error[target_unavailable]');
});

it.skipIf(missing)('serves a model from several processes', async () => {
  using data = new Scratch();
  const words = [
    '--http',
    '0',
    '--data',
    data.join('data'),
    '--model',
    modelFile,
    '--workers',
    '2',
  ];
  const server = await Serving.start(words);
  const { key } = server;
  const turn = await sayUntilCached(clientOf(server, key), [], firstWords);
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => say(clientOf(server, key), turn.messages, 'And then?')),
  );
  for (const { cachedTokens } of answers) expect(cachedTokens).toBeGreaterThan(0);
  expect((await server.stop()).code).toBe(0);
});

it.skipIf(missing)('takes the lines of the README as they stand there', async () => {
  using data = new Scratch();
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const { blocks } = readMarkdown(`${root}README.md`);
  const lines = blocks.find(({ code }) => code.includes("from 'openai'"))?.code ?? '';
  // An empty variable counts as not set: the model that ships is taken.
  const words = ['--http', '0', '--data', data.join('data')];
  const server = await Serving.start(words, { CENOTE_MODEL: '' });
  const file = data.join('lines.mjs');
  writeFileSync(file, lines.replace('http://127.0.0.1:8080', server.url));
  symlinkSync(`${root}node_modules`, data.join('node_modules'));
  const outcome = await runNode([file], { CENOTE_API_KEY: server.key });
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  const kept = [...outcome.stdout.matchAll(/^(\d+) of (\d+) tokens were kept$/gm)];
  expect(kept.map(([, cached]) => Number(cached))).toEqual([0, expect.any(Number)]);
  expect(Number(kept[1]?.[1])).toBeGreaterThan(0);
  await server.stop();
});

it('does not start with a model that is none', async () => {
  using data = new Scratch();
  const file = data.join('none.gguf');
  writeFileSync(file, 'not a model');
  const words = ['serve', '--http', '0', '--data', data.join('data'), '--model', file];
  const outcome = await cenote(words);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toMatch(/error\[(engine_model_invalid|engine_missing)\]/);
});

it('says that no model answers where llama.cpp is not installed', async () => {
  using place = new Scratch();
  const root = fileURLToPath(new URL('../../', import.meta.url));
  for (const name of ['bin', 'dist', 'package.json']) {
    cpSync(`${root}${name}`, place.join(name), { recursive: true });
  }
  mkdirSync(place.join('models'));
  cpSync(modelFile, place.join('models', 'cenote-moby.gguf'));
  mkdirSync(place.join('node_modules'));
  symlinkSync(`${root}node_modules/@koromix`, place.join('node_modules', '@koromix'));
  const words = ['--http', '0', '--data', place.join('data')];
  // An empty variable counts as not set: the model beside the program is taken.
  const env = { CENOTE_MODEL: '' };
  const server = await Serving.start(words, env, place.join('bin', 'cenote.js'));
  expect(server.stderr).toContain('no model answers');
  expect(server.stderr).toContain('npm install @node-llama-cpp/linux-x64');
  const answer = await server.request('POST', '/v1/chat/completions', '{}');
  expect(answer.status).toBe(400);
  expect(await (await server.request('GET', '/v1/models')).json()).toMatchObject({ data: [] });
  await server.stop();
});
