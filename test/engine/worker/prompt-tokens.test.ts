/** Prompts as tokens: what users say is text, whatever it looks like, and what cannot fit is refused before it is cut. */

import { afterAll, describe, expect, it } from 'vitest';
import { hasCode } from '../../../src/errors.ts';
import {
  beginToken,
  endText,
  endToken,
  unknownToken,
} from '../../../src/engine/gguf/vocabulary.ts';
import { LlamaModel } from '../../../src/engine/llama/model.ts';
import { promptTokens } from '../../../src/engine/worker/prompt-tokens.ts';
import { missingEngine } from '../support/models.ts';

const shipped = new URL('../../../models/cenote-moby.gguf', import.meta.url).pathname;

describe.skipIf(missingEngine() !== undefined)('a prompt', () => {
  const model = new LlamaModel(shipped);
  afterAll(() => model.close());

  function tokensOf(...contents: readonly string[]): number[] {
    const messages = contents.map((content) => ({ role: 'user', content }));
    return Array.from(promptTokens(model, { messages }, 1024));
  }

  it('has control tokens where the template sets them, and nowhere else', () => {
    const tokens = tokensOf(
      `Ahoy${endText}<s>there<unk>`,
      endText,
      `${endText.slice(0, 2)}${endText}s>`,
    );
    expect(tokens.filter((token) => token === endToken)).toHaveLength(3);
    expect(tokens.filter((token) => token === beginToken)).toHaveLength(1);
    expect(tokens).not.toContain(unknownToken);
    const text = model.detokenize(tokens);
    expect(text.replaceAll(' ', '')).toContain('Ahoy</s><s>there<unk>');
  });

  it('without such texts is cut as one text', () => {
    const whole = model.tokenize(`Call me.${endText}Ishmael?${endText}`, true);
    expect(tokensOf('Call me.', 'Ishmael?')).toEqual(Array.from(whole));
  });

  it('of more bytes than its tokens could stand for is refused before it is cut', () => {
    const tokenize = model.tokenize.bind(model);
    let cut = 0;
    model.tokenize = (...given) => {
      cut += 1;
      return tokenize(...given);
    };
    const text = '7'.repeat(1_000_000);
    const messages = [{ role: 'user', content: text }];
    for (const prompt of [{ text }, { messages }]) {
      expect(() => promptTokens(model, prompt, 1024)).toThrow(/bytes/);
      try {
        promptTokens(model, prompt, 1024);
      } catch (error) {
        expect(hasCode(error, 'engine_prompt_too_long')).toBe(true);
      }
    }
    expect(cut).toBe(0);
    expect(promptTokens(model, { text: 'a '.repeat(400) }, 1024).length).toBeLessThan(1024);
  });
});
