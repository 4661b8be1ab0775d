/**
 * The model that ships says the same alone and in batches of 8, word by word, but where two tokens are so nearly as likely as each other that the last
 * digits decide: 44 of 1,600 answers of 48 tokens.
 */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { LlamaEngine } from '../../src/engine/api.ts';
import { rounds, seed } from '../support/seed.ts';
import { engine, missingEngine } from './support/models.ts';
import { Played } from './support/played.ts';

const modelPath = 'models/cenote-moby.gguf';
const contextTokens = 256;
const sequences: number = rounds(40, 200);
/** Largest difference of logits that batches make. */
const tolerance = 0.05;
const words = 'the whale ship sea captain white old man boat men of and with upon all his'.split(
  ' ',
);

async function said(one: LlamaEngine, tokens: Int32Array): Promise<number[]> {
  const answer: number[] = [];
  for await (const { token } of one.generate({ tokens, maxTokens: 48 })) answer.push(token);
  return answer;
}

describe.skipIf(missingEngine() !== undefined)('greedy text', () => {
  it('does not depend on who else is asking, but for ties', async () => {
    const random = new Random(seed());
    const batched = await engine({ modelPath, contextTokens, sequences: 8 });
    const alone = await engine({ modelPath, contextTokens, sequences: 1 });
    const prompts = await Promise.all(
      Array.from({ length: sequences }, () => {
        const length = 4 + random.below(12);
        const text = Array.from({ length }, () => words[random.below(words.length)]).join(' ');
        return batched.tokenize(text);
      }),
    );
    const [together, singly] = await Promise.all(
      [batched, alone].map((one) => Promise.all(prompts.map((prompt) => said(one, prompt)))),
    );
    const played = new Played({ contextTokens }, modelPath);
    prompts.forEach((prompt, index) => {
      const [a, b] = [together?.[index] ?? [], singly?.[index] ?? []];
      const at = a.findIndex((token, place) => token !== b[place]);
      if (at < 0) {
        expect(a).toEqual(b);
        return;
      }
      const logits = played.prefill(0, Int32Array.from([...prompt, ...a.slice(0, at)]), 0);
      played.context.remove(0);
      const [one, other] = [logits[a[at] as number] ?? NaN, logits[b[at] as number] ?? NaN];
      expect(Math.abs(one - other)).toBeLessThanOrEqual(tolerance);
      expect(Math.max(...logits) - one).toBeLessThanOrEqual(tolerance);
    });
  });
});
