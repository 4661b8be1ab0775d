/** The sentence encoder against what its original says. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { encoderFolder, mappedPool, missingEncoder, testEmbedder } from './support.ts';
import { openEmbedder } from '../../../src/engine/onnx/embedder.ts';
import { sentenceModel } from '../../../src/engine/onnx/sentence/graph.ts';
import { Tokenizer, type Vocabulary } from '../../../src/engine/onnx/sentence/tokenizer.ts';

interface Known {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly vector: string;
}

const { sentences } = JSON.parse(
  readFileSync(new URL('fixtures/sentences.json', import.meta.url), 'utf8'),
) as { readonly sentences: readonly Known[] };

function vectorOf({ vector }: Known): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(vector, 'base64'));
  return new Float32Array(bytes.buffer);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function cosine(a: Float32Array, b: Float32Array): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const tenant = 'acme';

test.skipIf(missingEncoder)('texts become the tokens that the original makes of them', () => {
  const file = `${encoderFolder}/vocab.json`;
  const tokenizer = new Tokenizer(JSON.parse(readFileSync(file, 'utf8')) as Vocabulary);
  for (const { text, tokens } of sentences) expect([...tokenizer.encode(text)]).toEqual(tokens);
});

test('a text is cut into its most probable pieces, unknown characters that stand together into one', () => {
  const reserved = Array.from({ length: 6 }, () => ['�', 0] as const);
  const pieces = [
    ...reserved,
    ['▁a', -1],
    ['b', -2],
    ['▁ab', -2.5],
    ['c', -4],
    ['bc', -9],
    ['▁', -9],
    ['a', -9],
  ] as const;
  const tokenizer = new Tokenizer(pieces);
  expect([...tokenizer.encode('abc')]).toEqual([8, 9]);
  expect([...tokenizer.encode('ａｂ')]).toEqual([8]);
  expect([...tokenizer.encode('a??bc')]).toEqual([6, 0, 7, 9]);
  expect([...tokenizer.encode('')]).toEqual([]);
});

test('vectors are those of the original, alone and in any batch', async ({ skip }) => {
  if (missingEncoder) skip();
  const { embedder } = await testEmbedder();
  const truncateTokens = embedder.tokensMax;
  const texts = sentences.map(({ text }) => text);
  const together = await embedder.embed(texts, { tenant, truncateTokens });
  for (const [index, known] of sentences.entries()) {
    const input = [known.text];
    const alone = await embedder.embed(input, { tenant: 'another', truncateTokens });
    expect(cosine(alone.vectors[0]!, vectorOf(known)), known.text).toBeGreaterThan(0.999_999);
    expect(cosine(together.vectors[index]!, vectorOf(known))).toBeGreaterThan(0.999_999);
    expect(dot(alone.vectors[0]!, alone.vectors[0]!)).toBeCloseTo(1, 5);
  }
  const counts = sentences.map(({ tokens }) => Math.min(tokens.length, truncateTokens));
  expect(together.promptTokens).toBe(counts.reduce((sum, count) => sum + count, 0));
});

test('tokens give what their text gives', async ({ skip }) => {
  if (missingEncoder) skip();
  const { embedder } = await testEmbedder();
  const { text, tokens } = sentences[0]!;
  const { vectors, cached } = await embedder.embed([text, tokens], { tenant });
  expect(cached).toBe(0);
  expect(cosine(vectors[0]!, vectors[1]!)).toBeGreaterThan(0.999_999);
});

test('what was asked for before is found again by its tenant, and by nobody else', async ({
  skip,
}) => {
  if (missingEncoder) skip();
  const { embedder, pool } = await testEmbedder();
  const first = await embedder.embed(['call me', 'Ishmael'], { tenant });
  expect(pool.stats().parts).toBe(2);
  const again = await embedder.embed(['Ishmael', 'call me', 'other'], { tenant });
  expect(again.cached).toBe(2);
  expect(again.vectors.slice(0, 2)).toEqual([first.vectors[1], first.vectors[0]]);
  const stranger = await embedder.embed(['call me'], { tenant: 'globex' });
  expect(stranger.cached).toBe(0);
  expect(embedder.stats()).toMatchObject({ inputs: 6, hits: 2, unkept: 0, rows: 4 });
  const shorter = await embedder.embed(['call me'], { tenant, truncateTokens: 1 });
  expect(shorter.cached).toBe(0);
});

test('a pool that has no room keeps nobody from the answer', async ({ skip }) => {
  if (missingEncoder) skip();
  const { embedder, pool } = await testEmbedder();
  pool.put = () => {
    throw new Error('full');
  };
  const { vectors } = await embedder.embed(['call me'], { tenant });
  expect(vectors[0]).toHaveLength(512);
  expect(embedder.stats().unkept).toBe(1);
});

test('inputs that are none are refused before the model is asked', async ({ skip }) => {
  if (missingEncoder) skip();
  const { embedder } = await testEmbedder();
  const refused = async (code: string, ...inputs: (string | number[])[]): Promise<void> =>
    expect(embedder.embed(inputs, { tenant })).rejects.toMatchObject({ code });
  await refused('invalid_argument', 'fine', '');
  await refused('invalid_argument', []);
  await refused('invalid_argument', [1, 8000]);
  await refused('invalid_argument', [-1]);
  await refused('engine_prompt_too_long', 'word '.repeat(129));
  await refused('engine_prompt_too_long', 'x'.repeat(16_385));
  await refused('invalid_argument', ...Array.from({ length: 2049 }, () => 'x'));
  expect(embedder.stats().rows).toBe(0);
});

test('whoever gives up gives up all of his inputs', async ({ skip }) => {
  if (missingEncoder) skip();
  const { embedder } = await testEmbedder();
  const giveUp = new AbortController();
  const inputs = Array.from({ length: 400 }, (_, i) => `number ${i}`);
  const asked = embedder.embed(inputs, { tenant, signal: giveUp.signal });
  await until(() => embedder.stats().batches > 0);
  giveUp.abort();
  await expect(asked).rejects.toMatchObject({ code: 'aborted' });
  expect(embedder.stats().rows).toBeLessThan(inputs.length);
  expect((await embedder.embed(['next'], { tenant })).vectors).toHaveLength(1);
});

test('a folder without the model, and one whose weights are others, are refused', async ({
  skip,
}) => {
  if (missingEncoder) skip();
  const pool = await mappedPool();
  const empty = openEmbedder({ folder: '/nowhere', pool });
  await expect(empty.embed(['x'], { tenant })).rejects.toMatchObject({
    code: 'engine_model_invalid',
  });
  await empty.close();
  await expect(empty.embed(['x'], { tenant })).rejects.toMatchObject({
    code: 'engine_model_invalid',
  });
});

test('a model without its weights is refused by name', () => {
  expect(() => sentenceModel(new Map())).toThrow(/module\/Embeddings_en/);
});
