/** What an engine promises to those who ask it. */

import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../src/engine/api.ts';
import { openEngine } from '../../src/engine/engine.ts';
import { mib, pool } from '../pool/support/pools.ts';
import { seed } from '../support/seed.ts';
import { answer, codeOf, engine, missingEngine, smallModel, someTokens } from './support/models.ts';

describe.skipIf(missingEngine() !== undefined)('an engine', () => {
  it('tells its model', async () => {
    const [model] = (await engine({ name: 'small' })).models();
    expect(model).toMatchObject({
      name: 'small',
      layers: 2,
      vocabulary: 512,
      trainedTokens: 2048,
      contextTokens: 512,
      kvType: 'f16',
      tokenBytes: 2 * 2 * 64 * 2,
    });
    expect(model?.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('answers token by token, and the text of all is the answer', async () => {
    const asked = (await engine()).generate({ prompt: 'Call me', maxTokens: 40, ignoreEnd: true });
    const texts: string[] = [];
    const indexes: number[] = [];
    for await (const { text, index } of asked) {
      texts.push(text);
      indexes.push(index);
    }
    const { text, usage, finishReason } = await asked.result;
    expect(texts.join('')).toBe(text);
    expect(indexes).toEqual(Array.from({ length: 40 }, (_, index) => index));
    expect(usage).toMatchObject({ cachedTokens: 0, completionTokens: 40 });
    expect(finishReason).toBe('length');
    expect(usage.timings.totalMs).toBeGreaterThanOrEqual(usage.timings.firstTokenMs);
  });

  it('answers the same for the same seed, and something else for another', async () => {
    const one = await engine();
    const request = { prompt: 'Call me', temperature: 1.5, topP: 0.95, maxTokens: 30, seed: 5 };
    const first = await answer(one, request);
    expect(await answer(one, request)).toMatchObject({ text: first.text });
    expect((await answer(one, { ...request, seed: 6 })).text).not.toBe(first.text);
  });

  it('ends before a stop text', async () => {
    const one = await engine();
    const { text } = await answer(one, { prompt: 'Call me', maxTokens: 60 });
    const stop = text.slice(20, 23);
    const cut = await answer(one, { prompt: 'Call me', maxTokens: 60, stop: [stop] });
    expect(cut.text).toBe(text.slice(0, text.indexOf(stop)));
    expect(cut.finishReason).toBe('stop');
  });

  it('remembers no sessions with names as long as texts', async () => {
    const one = await engine();
    const asked = (sessionId: string): GenerateRequest => ({
      prompt: 'Call me',
      sessionId,
      maxTokens: 1,
    });
    expect(await answer(one, asked('s'.repeat(512)))).toBeDefined();
    for (const sessionId of ['s'.repeat(513), 5 as unknown as string]) {
      expect(() => one.generate(asked(sessionId))).toThrow(/sessionId/);
    }
  });

  it('ends when the context is full', async () => {
    const tokens = someTokens(500, seed());
    const { usage, finishReason } = await answer(await engine(), { tokens, maxTokens: 100 });
    expect(usage.completionTokens).toBe(12);
    expect(finishReason).toBe('length');
  });

  it('answers more requests than it has places for', async () => {
    const one = await engine({ sequences: 4, pool: await pool({ capacityBytes: 32 * mib }) });
    const requests = Array.from({ length: 12 }, (_, k) => ({
      tokens: someTokens(40 + k, seed() + k),
    }));
    const results = await Promise.all(requests.map((request) => answer(one, request)));
    for (const { usage } of results) expect(usage.completionTokens).toBe(64);
    await one.flushed();
    expect(one.stats()).toMatchObject({
      requests: 12,
      running: 0,
      queued: 0,
      completionTokens: 768,
      promptBatches: 12,
    });
    const { waits, firstTokens, batches } = one.stats();
    expect(waits.counts.reduce((a, b) => a + b)).toBe(12);
    expect(firstTokens.counts.reduce((a, b) => a + b)).toBe(12);
    expect(firstTokens.sum).toBeGreaterThan(waits.sum);
    // The first token of each comes of its prompt.
    expect(batches.sum).toBe(12 * 63);
    expect(batches.bounds).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(batches.counts.slice(3)).toEqual([0, 0, 0, 0, 0]);
  });

  it('finds the turns before: a conversation pays for what is new', async () => {
    const kept = await pool({ capacityBytes: 32 * mib });
    const one = await engine({ pool: kept });
    let tokens: number[] = [...someTokens(100, seed())];
    for (let turn = 0; turn < 4; turn++) {
      const asked = one.generate({ tokens, maxTokens: 40, ignoreEnd: true });
      const said: number[] = [];
      for await (const { token } of asked) said.push(token);
      const { cachedTokens } = (await asked.result).usage;
      // All turns before in whole batches, but for the last token, which nobody had computed.
      const known = turn === 0 ? 0 : Math.floor((tokens.length - 21) / 64) * 64;
      expect(cachedTokens).toBe(known);
      tokens = [...tokens, ...said, ...someTokens(20, seed() + turn)];
      await one.flushed();
    }
    expect(kept.check().ok).toBe(true);
  });

  it('answers without keeping anything where the pool is full', async () => {
    const kept = await pool({ capacityBytes: 4 * mib });
    for (let id = 0; id < 3; id++)
      kept.put(`pinned-${id}`, 'x', new Uint8Array(mib), { pinned: true });
    let filler = 0;
    try {
      for (;;) kept.put(`more-${filler++}`, 'x', new Uint8Array(4096), { pinned: true });
    } catch {
      // Full.
    }
    const one = await engine({ pool: kept });
    const tokens = someTokens(300, seed());
    const first = await answer(one, { tokens });
    await one.flushed();
    expect(one.stats().blocksRejected).toBeGreaterThan(0);
    expect((await answer(one, { tokens })).logitsDigest).toBe(first.logitsDigest);
  });

  it('drops state that its queue has no room for, and counts it', async () => {
    const one = await engine({ pool: await pool(), writeQueueBytes: 1000 });
    const tokens = someTokens(100, seed());
    await answer(one, { tokens });
    await one.flushed();
    expect(one.stats()).toMatchObject({ blocksDropped: 10, blocksWritten: 0 });
    expect((await answer(one, { tokens })).usage.cachedTokens).toBe(0);
  });

  it('turns text into tokens and back', async () => {
    const one = await engine();
    const text = 'Straße, 東京, 🦑!';
    const tokens = await one.tokenize(text);
    expect((await one.detokenize(tokens)).trim()).toBe(text);
    expect(await codeOf(one.detokenize([1, 99_999]))).toBe('invalid_argument');
    expect(await one.template([{ role: 'user', content: 'Hi' }])).toBe('user: Hi\nassistant:');
  });

  const wrong: [string, object, string][] = [
    ['nothing', {}, 'invalid_argument'],
    ['two prompts', { prompt: 'a', tokens: [3] }, 'invalid_argument'],
    ['no tokens', { tokens: [] }, 'invalid_argument'],
    ['a token that is none', { tokens: [3, 512] }, 'invalid_argument'],
    ['a negative token', { tokens: [-1] }, 'invalid_argument'],
    ['half a token', { tokens: [3.5] }, 'invalid_argument'],
    ['too long a prompt', { tokens: new Int32Array(512).fill(5) }, 'engine_prompt_too_long'],
    ['messages without text', { messages: [{ role: 'user' }] }, 'invalid_argument'],
    ['no messages', { messages: [] }, 'invalid_argument'],
    ['no tokens wanted', { prompt: 'a', maxTokens: 0 }, 'invalid_argument'],
    ['a temperature below 0', { prompt: 'a', temperature: -1 }, 'invalid_argument'],
    ['topP above 1', { prompt: 'a', topP: 2 }, 'invalid_argument'],
    ['an empty stop text', { prompt: 'a', stop: [''] }, 'invalid_argument'],
    ['a seed that is none', { prompt: 'a', seed: 0.5 }, 'invalid_argument'],
  ];
  it('refuses what cannot be computed, and goes on', async () => {
    const one = await engine();
    for (const [what, request, code] of wrong) {
      const ask = async (): Promise<unknown> => one.generate(request).result;
      expect(await codeOf(ask()), what).toBe(code);
    }
    expect((await answer(one, { prompt: 'a', maxTokens: 3 })).usage.completionTokens).toBe(3);
    expect(one.stats()).toMatchObject({ running: 0, queued: 0 });
  });

  it('is not opened with what is no model, or no option', async () => {
    const modelPath = smallModel();
    const open = async (options: object): Promise<unknown> => openEngine({ modelPath, ...options });
    expect(await codeOf(open({ modelPath: '/nowhere.gguf' }))).toBe('engine_model_invalid');
    expect(await codeOf(open({ modelPath: import.meta.filename }))).toBe('engine_model_invalid');
    for (const options of [
      { sequences: 0 },
      { batchTokens: 20 },
      { kvType: 'f8' },
      { threads: 0 },
      { instances: { min: 2, max: 1 } },
      { contextTokens: 8 },
      { queueMax: -1 },
      { timers: {} },
      { salt: 5 },
    ]) {
      expect(await codeOf(open(options)), JSON.stringify(options)).toBe('invalid_argument');
    }
  });
});
