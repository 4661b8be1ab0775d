/** Tokens of a prompt. What somebody says never becomes control tokens: those are for the template to set. */

import { randomUUID } from 'node:crypto';
import { fail } from '../../errors.ts';
import type { ChatMessage } from '../api.ts';
import type { LlamaModel } from '../llama/model.ts';
import type { Prompt } from './protocol.ts';

const encoder = new TextEncoder();

/**
 * @param room tokens of prompt and answer
 * @throws invalid_argument, engine_prompt_too_long
 */
export function promptTokens(model: LlamaModel, prompt: Prompt, room: number): Int32Array {
  const tokens = tokensOf(model, prompt, room);
  if (tokens.length === 0) fail('invalid_argument', 'The prompt has no tokens.');
  if (tokens.length >= room) {
    fail(
      'engine_prompt_too_long',
      `The prompt has ${tokens.length} tokens; prompt and answer have ${room}.`,
    );
  }
  return tokens;
}

function tokensOf(model: LlamaModel, prompt: Prompt, room: number): Int32Array {
  if ('tokens' in prompt) {
    for (const token of prompt.tokens) {
      if (!model.isToken(token)) fail('invalid_argument', `There is no token ${token}.`);
    }
    return prompt.tokens;
  }
  if ('text' in prompt) {
    checkBytes(model, [prompt.text], room);
    return model.tokenize(prompt.text, false);
  }
  checkBytes(
    model,
    prompt.messages.map(({ content }) => content),
    room,
  );
  if (model.chatTemplate === undefined)
    return model.tokenize(model.template(prompt.messages), false);
  return templateTokens(model, prompt.messages);
}

/**
 * Refuses what has more bytes than so many tokens can stand for. Cutting a text into tokens takes time that may grow with the square of its length, and
 * nobody else is served meanwhile.
 */
function checkBytes(model: LlamaModel, texts: readonly string[], room: number): void {
  const bytes = texts.reduce((sum, text) => sum + encoder.encode(text).length, 0);
  // No token is looked at for what is short.
  if (bytes <= room || bytes <= room * model.tokenBytesMax) return;
  fail(
    'engine_prompt_too_long',
    `The prompt has ${bytes} bytes, more than ${room} tokens stand for; prompt and answer have as many.`,
  );
}

/** Texts of control tokens in what is said are kept out of the template, and put between its pieces afterwards as the text that they are. */
function templateTokens(model: LlamaModel, messages: readonly ChatMessage[]): Int32Array {
  const { controlTexts } = model;
  const mark = randomUUID();
  const said: string[] = [];
  const marked = messages.map(({ role, content }) => ({
    role,
    content:
      controlTexts === undefined
        ? content
        : content.replace(controlTexts, (text) => {
            said.push(text);
            return mark;
          }),
  }));
  const pieces = model.template(marked).split(mark);
  const parts = pieces.flatMap((piece, index) => {
    const text = said[index];
    const own = piece === '' && index > 0 ? [] : [model.tokenize(piece, true, index === 0)];
    return text === undefined ? own : [...own, model.tokenize(text, false, false)];
  });
  return Int32Array.from(parts.flatMap((part) => Array.from(part)));
}
