/** What a thread held that is gone: its model and its context are in nobody's heap. */

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type * as foreignFile from '../../src/engine/llama/foreign.ts';
import { openPool } from '../../src/pool/open.ts';
import { freshPath, mib } from '../pool/support/pools.ts';
import { mappingsOf } from '../support/mappings.ts';
import { until } from '../support/until.ts';
import { answer, codeOf, engine, missingEngine } from './support/models.ts';
import { threads } from './support/threads.ts';

const freed = vi.hoisted(() => [] as [what: string, address: unknown][]);

vi.mock('node:worker_threads', async (original) =>
  (await import('./support/threads.ts')).watched(await original()),
);

vi.mock('../../src/engine/llama/foreign.ts', async (original) => {
  const real = await original<typeof foreignFile>();
  const noted = (name: 'llama_free' | 'llama_model_free', address: unknown): void => {
    freed.push([name, address]);
    real.foreign().functions[name](address);
  };
  const returnFreed = (): void => {
    freed.push(['all', undefined]);
    real.foreign().returnFreed();
  };
  const functions = {
    llama_free: (address: unknown) => noted('llama_free', address),
    llama_model_free: (address: unknown) => noted('llama_model_free', address),
  };
  return {
    ...real,
    foreign: () => ({
      ...real.foreign(),
      returnFreed,
      functions: { ...real.foreign().functions, ...functions },
    }),
  };
});

describe.skipIf(missingEngine() !== undefined)('an instance that is lost', () => {
  it('leaves its context and its model to its engine, which frees them once and gives all that is free to the system', async () => {
    const one = await engine({ sequences: 1 });
    const running = one.generate({ prompt: 'Call me', maxTokens: 480, ignoreEnd: true });
    await running[Symbol.asyncIterator]().next();
    await threads.at(-1)?.terminate();
    expect(await codeOf(running.result)).toBe('engine_worker_lost');
    expect(freed.map(([what]) => what)).toEqual(['llama_free', 'llama_model_free', 'all']);
    expect(freed.map(([, address]) => typeof address)).toEqual(['bigint', 'bigint', 'undefined']);
    expect((await answer(one, { prompt: 'a', maxTokens: 2 })).usage.completionTokens).toBe(2);
    await one.close();
    // One that ends in order has freed what it had.
    expect(freed.slice(3)).toEqual([['all', undefined]]);
  });

  it('leaves its mappings of the pool to its engine, which unmaps them', async () => {
    const shared = await openPool({ path: freshPath(), capacityBytes: 8 * mib });
    onTestFinished(() => shared.close());
    const own = mappingsOf(shared);
    const one = await engine({ sequences: 1, pool: shared });
    const withOne = mappingsOf(shared);
    expect(withOne).toBeGreaterThan(own);
    await threads.at(-1)?.terminate();
    await until(() => one.stats().instancesLost === 1);
    await answer(one, { prompt: 'a', maxTokens: 2 });
    expect(mappingsOf(shared)).toBe(withOne);
    await one.close();
    expect(mappingsOf(shared)).toBe(own);
  });
});
