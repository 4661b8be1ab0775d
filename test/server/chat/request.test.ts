/** Bodies of requests: whatever comes is read, or refused with a code. */

import { expect, it } from 'vitest';
import { hasCode } from '../../../src/errors.ts';
import {
  chatFields,
  completionFields,
  readChatRequest,
  readCompletionRequest,
  type CompletionRequest,
} from '../../../src/server/chat/request.ts';
import { parameters } from '../support/fuzz.ts';
import { fc } from '../../support/properties.ts';

const messagesMax = 8;

/** Undefined where it is refused. */
function attempt(read: () => CompletionRequest): CompletionRequest | undefined {
  try {
    return read();
  } catch (error) {
    expect(hasCode(error, 'invalid_argument'), String(error)).toBe(true);
    return undefined;
  }
}

function check(request: CompletionRequest | undefined): void {
  if (request === undefined) return;
  const { model, generate } = request;
  const { temperature = 0, seed = 0, stop = [], messages = [] } = generate;
  expect(typeof model).toBe('string');
  expect(temperature >= 0 && temperature <= 2).toBe(true);
  expect(Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 31).toBe(true);
  expect(stop.length).toBeLessThanOrEqual(4);
  expect(messages.length).toBeLessThanOrEqual(messagesMax);
  for (const { role, content } of messages) {
    expect(['system', 'user', 'assistant']).toContain(role);
    expect(typeof content).toBe('string');
  }
}

const value = fc.oneof(
  fc.jsonValue(),
  fc.integer(),
  fc.double(),
  fc.constantFrom(null, '', 0, 1, true, false, 'x', ['x'], [1, 2], {}, []),
);

/** A body that has most of what is asked for, with fields that may be anything. */
function bodies(fields: ReadonlySet<string>, base: object): fc.Arbitrary<unknown> {
  const others = fc.dictionary(fc.constantFrom(...fields), value, { maxKeys: 4 });
  return fc.oneof(
    fc.jsonValue(),
    others.map((given) => ({ ...base, ...given })),
  );
}

const message = fc.record({
  role: fc.constantFrom('user', 'assistant', 'system', 'developer', 'tool', 1),
  content: fc.oneof(fc.string(), value, fc.array(fc.record({ type: value, text: value }))),
});

it('of conversations', () => {
  const talk = fc.array(message, { maxLength: messagesMax + 2 });
  const body = talk.chain((messages) => bodies(chatFields, { model: 'm', messages }));
  const read = (given: unknown): void => check(attempt(() => readChatRequest(given, messagesMax)));
  fc.assert(fc.property(body, read), parameters(2000));
});

it('of texts', () => {
  const body = value.chain((prompt) => bodies(completionFields, { model: 'm', prompt }));
  const read = (given: unknown): void => check(attempt(() => readCompletionRequest(given)));
  fc.assert(fc.property(body, read), parameters(2000));
});

it('refuses what is nested deeply as it refuses other nonsense', () => {
  const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
  const chat = { model: 'm', messages: [{ role: 'user', content: 'Ahoy' }] };
  for (const name of ['messages', 'modalities', 'stop', 'temperature', 'tools', 'model']) {
    expect(attempt(() => readChatRequest({ ...chat, [name]: deep }, messagesMax))).toBeUndefined();
  }
  expect(attempt(() => readCompletionRequest({ model: 'm', prompt: deep }))).toBeUndefined();
  expect(attempt(() => readChatRequest({ ...chat, modalities: ['text'] }, 1))).toBeDefined();
});
