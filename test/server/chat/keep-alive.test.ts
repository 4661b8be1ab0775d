/** Streams that have nothing to say for a while, over time that a test moves. */

import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { ManualTime } from '../../engine/batch/manual-time.ts';
import { until } from '../../support/until.ts';
import { testKey } from '../support/client.ts';
import { serve } from '../support/serve.ts';
import { fakeEngine, type FakeEngine } from './fake-engine.ts';

const asked = { model: 'parrot', stream: true, messages: [{ role: 'user', content: 'so be it' }] };

interface Held {
  readonly engine: FakeEngine;
  readonly timers: ManualTime;
  readonly url: string;
  readonly release: () => void;
}

async function held(afterTokens: number): Promise<Held> {
  const engine = fakeEngine();
  const timers = new ManualTime();
  const { url } = await serve({ engine, timers });
  return { engine, timers, url, release: engine.hold(afterTokens) };
}

/** What has come of the answer so far. */
class Reading {
  text = '';
  status = 0;
  readonly done: Promise<void>;

  constructor(url: string) {
    this.done = this.#read(url);
  }

  async #read(url: string): Promise<void> {
    const headers = { Authorization: `Bearer ${testKey}`, 'Content-Type': 'application/json' };
    const body = JSON.stringify(asked);
    const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
    this.status = answer.status;
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) this.text += decoder.decode(chunk as Uint8Array);
  }

  get comments(): number {
    return this.text.split('\n\n').filter((event) => event.startsWith(':')).length;
  }
}

test('a stream whose first token does not come begins with a comment', async () => {
  const { engine, timers, url, release } = await held(0);
  const reading = new Reading(url);
  await until(() => engine.requests.length === 1);
  await timers.advance(14_999);
  expect(reading.status).toBe(0);
  await timers.advance(1);
  await until(() => reading.comments === 1);
  expect(reading.text).toMatch(/^data: .*"role":"assistant".*\n\n: still here\n\n$/);
  for (let comments = 2; comments < 8; comments++) {
    await timers.advance(15_000);
    await until(() => reading.comments === comments);
  }
  release();
  await reading.done;
  expect(reading.status).toBe(200);
  expect(reading.text.split('"role":"assistant"')).toHaveLength(2);
  expect(reading.text.endsWith('data: [DONE]\n\n')).toBe(true);
  expect(timers.nextMs).toBe(Infinity);
});

test('comments come after a pause, not beside tokens, and clients pass over them', async () => {
  const { engine, timers, url, release } = await held(1);
  const client = new OpenAI({ apiKey: testKey, baseURL: `${url}/v1`, maxRetries: 0 });
  const reading = new Reading(url);
  const texts: string[] = [];
  const read = (async () => {
    for await (const { choices } of await client.chat.completions.create({
      ...asked,
      stream: true,
      messages: [{ role: 'user', content: 'so be it' }],
    })) {
      texts.push(choices[0]?.delta.content ?? '');
    }
  })();
  await until(() => reading.text.includes('"so"') && texts.includes('so'));
  await timers.advance(70_000);
  await until(() => reading.comments === 4);
  release();
  await Promise.all([reading.done, read]);
  expect(texts.join('')).toBe('so be it');
  expect(reading.comments).toBe(4);
  expect(engine.requests).toHaveLength(2);
});

test('what fails after a comment is the last event', async () => {
  const { engine, timers, url, release } = await held(0);
  engine.failNext('engine_worker_lost', 1);
  const reading = new Reading(url);
  await until(() => engine.requests.length === 1);
  await timers.advance(15_000);
  await until(() => reading.comments === 1);
  release();
  await reading.done;
  expect(reading.text).toMatch(/data: \{"error":.*"code":"engine_worker_lost"\}\}\n\n$/);
});
