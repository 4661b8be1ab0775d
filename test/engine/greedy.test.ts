/** The model that ships says the same alone and with eight places, word by word. */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { LlamaEngine } from '../../src/engine/api.ts';
import { rounds, seed } from '../support/seed.ts';
import { engine, missingEngine } from './support/models.ts';

const modelPath = 'models/cenote-moby.gguf';
const contextTokens = 256;
const sequences: number = rounds(40, 200);
const words = 'the whale ship sea captain white old man boat men of and with upon all his'.split(
  ' ',
);

async function said(one: LlamaEngine, tokens: Int32Array): Promise<number[]> {
  const answer: number[] = [];
  for await (const { token } of one.generate({ tokens, maxTokens: 48 })) answer.push(token);
  return answer;
}

describe.skipIf(missingEngine() !== undefined)('greedy text', () => {
  it('does not depend on who else is asking', async () => {
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
    expect(together).toEqual(singly);
  });
});
