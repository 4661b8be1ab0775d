/** How requests end that are not answered, and how instances come and go. */

import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Generation } from '../../src/engine/api.ts';
import { mib, pool } from '../pool/support/pools.ts';
import { seed } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { ManualTime } from './batch/manual-time.ts';
import { answer, codeOf, engine, missingEngine, smallModel, someTokens } from './support/models.ts';
import { threads } from './support/threads.ts';

vi.mock('node:worker_threads', async (original) =>
  (await import('./support/threads.ts')).watched(await original()),
);

beforeEach(() => void threads.splice(0));

const long = { prompt: 'Call me', maxTokens: 480, ignoreEnd: true };

/** Resolves when its first token has come; it goes on. */
async function begun(asked: Generation): Promise<void> {
  await asked[Symbol.asyncIterator]().next();
}

describe.skipIf(missingEngine() !== undefined)('a request', () => {
  it('is cancelled by its signal while it runs, and its place is free', async () => {
    const one = await engine({ sequences: 1 });
    const controller = new AbortController();
    const asked = one.generate({ ...long, signal: controller.signal });
    await begun(asked);
    controller.abort();
    expect(await codeOf(asked.result)).toBe('aborted');
    expect((await answer(one, { prompt: 'a', maxTokens: 2 })).usage.completionTokens).toBe(2);
    expect(one.stats()).toMatchObject({ cancelled: 1, running: 0, queued: 0 });
  });

  it('is cancelled while it waits, and before', async () => {
    const one = await engine({ sequences: 1 });
    const first = one.generate(long);
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = one.generate({ ...long, signal });
    controller.abort();
    expect(await codeOf(waiting.result)).toBe('aborted');
    expect(await codeOf(one.generate({ ...long, signal }).result)).toBe('aborted');
    expect((await first.result).usage.completionTokens).toBe(480);
  });

  it('is cancelled by who leaves the loop', async () => {
    const one = await engine({ sequences: 1 });
    const asked = one.generate(long);
    for await (const { index } of asked) if (index === 3) break;
    expect(await codeOf(asked.result)).toBe('aborted');
    expect(one.stats().cancelled).toBe(1);
  });

  it('throws in the loop what its result throws', async () => {
    const asked = (await engine()).generate({ tokens: new Int32Array(512).fill(5) });
    const loop = async (): Promise<void> => {
      for await (const token of asked) expect(token).toBeUndefined();
    };
    expect(await codeOf(loop())).toBe('engine_prompt_too_long');
    expect(await codeOf(asked.result)).toBe('engine_prompt_too_long');
  });

  it('ends at its deadline, running or waiting', async () => {
    const timers = new ManualTime();
    const one = await engine({ sequences: 1, timers });
    const running = one.generate({ ...long, deadlineMs: 50 });
    const waiting = one.generate({ ...long, deadlineMs: 40 });
    await begun(running);
    await timers.advance(40);
    expect(await codeOf(waiting.result)).toBe('engine_deadline');
    await timers.advance(10);
    expect(await codeOf(running.result)).toBe('engine_deadline');
    expect(await codeOf(one.generate({ ...long, deadlineMs: 50 }).result)).toBe('engine_deadline');
    expect((await answer(one, { prompt: 'a', maxTokens: 2 })).usage.completionTokens).toBe(2);
  });

  it('is refused when the queue is full', async () => {
    const one = await engine({ sequences: 1, queueMax: 2 });
    const asked = Array.from({ length: 4 }, () => one.generate({ ...long, maxTokens: 20 }));
    const codes = await Promise.all(asked.map(({ result }) => codeOf(result)));
    expect(codes).toEqual([undefined, undefined, undefined, 'engine_busy']);
    expect(one.stats()).toMatchObject({ requests: 4, refused: 1 });
  });

  it('does not wait behind all requests of another tenant', async () => {
    const one = await engine({ sequences: 1 });
    const order: string[] = [];
    const ask = async (tenant: string): Promise<void> => {
      await one.generate({ ...long, maxTokens: 5, tenant }).result;
      order.push(tenant);
    };
    await Promise.all([...Array.from({ length: 6 }, () => ask('a')), ask('b')]);
    expect(order.indexOf('b')).toBeLessThanOrEqual(2);
  });

  it('makes room for another tenant in time, and goes on where it was', async () => {
    const kept = await pool({ capacityBytes: 32 * mib });
    const one = await engine({ sequences: 2, pool: kept });
    const order: string[] = [];
    let begunCount = 0;
    const ask = async (tenant: string, tokens: Int32Array, maxTokens: number): Promise<string> => {
      const asked = one.generate({ tokens, maxTokens, ignoreEnd: true, tenant });
      const texts: string[] = [];
      for await (const { text, index } of asked) {
        if (index === 0) begunCount += 1;
        texts.push(text);
      }
      order.push(tenant);
      expect((await asked.result).usage.completionTokens).toBe(maxTokens);
      expect((await asked.result).text).toBe(texts.join(''));
      return texts.join('');
    };
    const greedy = ['a', 'a', 'a'].map((tenant, k) =>
      ask(tenant, someTokens(100, seed() + k), 400),
    );
    await until(() => begunCount === 2);
    await ask('b', someTokens(100, seed() + 9), 5);
    expect(order).toEqual(['b']);
    await Promise.all(greedy);
    await one.flushed();
    expect(one.stats()).toMatchObject({ completionTokens: 1205, running: 0 });
    expect(one.stats().preempted).toBeGreaterThan(0);
  });

  it('is lost with its instance, which is replaced; who waits is answered', async () => {
    const one = await engine({ sequences: 1 });
    const running = one.generate(long);
    const waiting = one.generate({ ...long, maxTokens: 3 });
    await begun(running);
    await threads.at(-1)?.terminate();
    expect(await codeOf(running.result)).toBe('engine_worker_lost');
    expect((await waiting.result).usage.completionTokens).toBe(3);
    expect(one.stats()).toMatchObject({ instances: 1, instancesStarted: 2, instancesLost: 1 });
  });

  it('is refused when its model has gone, and no instance can begin', async () => {
    const modelPath = join(mkdtempSync(join(tmpdir(), 'cenote-gone-')), 'model.gguf');
    onTestFinished(() => rmSync(dirname(modelPath), { recursive: true, force: true }));
    copyFileSync(smallModel(), modelPath);
    const one = await engine({ sequences: 1, modelPath });
    const running = one.generate(long);
    const waiting = one.generate(long);
    await begun(running);
    rmSync(modelPath);
    await threads.at(-1)?.terminate();
    expect(await codeOf(running.result)).toBe('engine_worker_lost');
    expect(await codeOf(waiting.result)).toBe('engine_model_invalid');
    expect(await codeOf(one.generate(long).result)).toBe('engine_model_invalid');
    expect(one.stats()).toMatchObject({ instances: 0, queued: 0, running: 0 });
  });

  it('is refused when its model is another one now: the state that is kept is not of that one', async () => {
    const modelPath = join(mkdtempSync(join(tmpdir(), 'cenote-other-')), 'model.gguf');
    onTestFinished(() => rmSync(dirname(modelPath), { recursive: true, force: true }));
    copyFileSync(smallModel(), modelPath);
    const kept = await pool({ capacityBytes: 32 * mib });
    const one = await engine({ sequences: 1, modelPath, pool: kept });
    const tokens = someTokens(130, seed());
    expect(await answer(one, { tokens, maxTokens: 1 })).toBeDefined();
    await one.flushed();
    const running = one.generate(long);
    await begun(running);
    copyFileSync(smallModel(2), `${modelPath}.new`);
    renameSync(`${modelPath}.new`, modelPath);
    await threads.at(-1)?.terminate();
    expect(await codeOf(running.result)).toBe('engine_worker_lost');
    expect(await codeOf(answer(one, { tokens, maxTokens: 1 }))).toBe('engine_model_invalid');
  });

  it('ends with its engine, and what was computed is kept', async () => {
    const kept = await pool({ capacityBytes: 32 * mib });
    const one = await engine({ sequences: 1, pool: kept });
    const tokens = someTokens(130, seed());
    const running = one.generate({ tokens, maxTokens: 300, ignoreEnd: true });
    const waiting = one.generate(long);
    await begun(running);
    const codes = [codeOf(running.result), codeOf(waiting.result)];
    await Promise.all([one.close(), one.close()]);
    expect(await Promise.all(codes)).toEqual(['engine_closed', 'engine_closed']);
    expect(() => one.generate(long)).toThrow(expect.objectContaining({ code: 'engine_closed' }));
    expect(await codeOf(one.tokenize('a'))).toBe('engine_closed');
    const { usage } = await answer(await engine({ pool: kept }), { tokens, maxTokens: 1 });
    expect(usage.cachedTokens).toBe(128);
  });
});

describe.skipIf(missingEngine() !== undefined)('instances', () => {
  it('are started when requests wait, and end when there is nothing to do', async () => {
    const timers = new ManualTime();
    const one = await engine({ sequences: 1, instances: { min: 1, max: 3 }, timers });
    const asked = Array.from({ length: 4 }, () => one.generate(long));
    await timers.advance(99);
    expect(one.stats().instancesStarted).toBe(1);
    await timers.advance(1);
    expect(one.stats().instancesStarted).toBe(2);
    // The next one only when this one is there and was not enough.
    await until(() => one.stats().running === 2 || one.stats().queued === 0);
    await Promise.all(asked.map(({ result }) => result));
    expect(one.stats().instancesStarted).toBeLessThanOrEqual(3);
    await until(() => one.stats().running === 0);
    await timers.advance(29_000);
    expect(one.stats().instances).toBeGreaterThan(1);
    await timers.advance(2000);
    expect(one.stats().instances).toBe(1);
    expect((await answer(one, { prompt: 'a', maxTokens: 2 })).usage.completionTokens).toBe(2);
  });

  it('that were told to end are waited for with the others, and what they have counted counts', async () => {
    const timers = new ManualTime();
    const one = await engine({ sequences: 1, instances: { min: 1, max: 2 }, timers });
    const asked = [one.generate(long), one.generate(long)];
    await timers.advance(100);
    await Promise.all(asked.map(({ result }) => result));
    await until(() => one.stats().running === 0);
    await timers.advance(0);
    const { completionTokens } = one.stats();
    await timers.advance(30_000);
    expect(one.stats()).toMatchObject({ instances: 1, completionTokens });
    await one.close();
    expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]);
    expect(one.stats()).toMatchObject({ instances: 0, completionTokens: 960 });
  });

  it('are started again when the reason has gone that they could not be', async () => {
    const timers = new ManualTime();
    const folder = mkdtempSync(join(tmpdir(), 'cenote-gone-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const modelPath = join(folder, 'model.gguf');
    copyFileSync(smallModel(), modelPath);
    const one = await engine({ modelPath, timers });
    const short = { prompt: 'a', maxTokens: 2 };
    expect(await codeOf(one.generate(short).result)).toBeUndefined();
    renameSync(modelPath, `${modelPath}.away`);
    await threads.at(-1)?.terminate();
    for (const waitMs of [1000, 2000, 4000]) {
      const { instancesStarted } = one.stats();
      await until(() => one.stats().instances === 0);
      expect(await codeOf(one.generate(short).result)).toBe('engine_model_invalid');
      await timers.advance(waitMs - 1);
      expect(one.stats().instancesStarted).toBe(instancesStarted);
      await timers.advance(1);
      expect(one.stats().instancesStarted).toBe(instancesStarted + 1);
    }
    await until(() => one.stats().instances === 0);
    renameSync(`${modelPath}.away`, modelPath);
    await timers.advance(8000);
    // Whoever comes while it starts waits for it.
    expect((await one.generate(short).result).usage.completionTokens).toBe(2);
    // From now on it begins anew.
    renameSync(modelPath, `${modelPath}.away`);
    await threads.at(-1)?.terminate();
    await until(() => one.stats().instances === 0);
    expect(timers.nextMs - timers.nowMs()).toBe(1000);
  });

  it('are as many as there shall be at least', async () => {
    const one = await engine({ instances: { min: 2, max: 2 } });
    await until(() => one.stats().instances === 2);
    expect(one.stats().instancesStarted).toBe(2);
  });
});
