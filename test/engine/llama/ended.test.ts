/** A thread that is ended in the middle of a call takes nobody with it. koffi does not survive that when it reads fields of an object. */

import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { expect, it, vi } from 'vitest';
import { LlamaContext } from '../../../src/engine/llama/context.ts';
import type * as foreignFile from '../../../src/engine/llama/foreign.ts';
import { LlamaModel } from '../../../src/engine/llama/model.ts';
import { batchBytes, byValue, inWords } from '../../../src/engine/llama/structs.ts';
import { missingEngine, smallModel } from '../support/models.ts';

const given = vi.hoisted(() => new Map<string, Set<string>>());

/** What koffi sees of a value. */
function kindOf(value: unknown): string {
  return ArrayBuffer.isView(value) ? 'bytes' : value === null ? 'null' : typeof value;
}

vi.mock('../../../src/engine/llama/foreign.ts', async (original) => {
  const real = await original<typeof foreignFile>();
  const noted = Object.entries(real.foreign().functions).map(([name, call]) => {
    const kinds = new Set<string>();
    const noting = (...values: unknown[]): unknown => {
      given.set(name, kinds);
      for (const value of values) kinds.add(kindOf(value));
      return call(...values);
    };
    return [name, noting] as const;
  });
  const functions = Object.fromEntries(noted) as unknown as foreignFile.Functions;
  return { ...real, foreign: () => ({ ...real.foreign(), functions }) };
});

const terminations = 20;

const looping = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { koffi, prototype, values } = workerData;
  const call = require(koffi).load(null).func(prototype);
  call(...values);
  parentPort.postMessage('calls');
  for (;;) call(...values);
`;

it.skipIf(missingEngine() !== undefined)('no function is called with an object', () => {
  const model = new LlamaModel(smallModel());
  const shape = { contextTokens: 64, sequences: 1, batchTokens: 16, threads: 1 } as const;
  const context = new LlamaContext(model, { ...shape, kvType: 'f16' });
  context.begin();
  context.add(0, 0, 5, true);
  context.compute();
  const state = context.saveState(0) as Uint8Array;
  expect(context.loadState(0, state.length, (into) => into.set(state))).toBe(true);
  model.tokenize('Hello', true);
  model.template([{ role: 'user', content: 'Hello' }]);
  context.close();
  model.close();
  const kinds = new Set([...given.values()].flatMap((each) => [...each]));
  expect([...kinds].toSorted()).not.toContain('object');
  for (const name of ['llama_model_load_from_file', 'llama_init_from_model', 'llama_decode']) {
    expect(given.get(name), name).toContain('bigint');
  }
});

it.skipIf(missingEngine() !== undefined)('a thread that passes a struct can be ended', async () => {
  const values = [1, ...byValue(new BigUint64Array(batchBytes / 8))];
  const koffi = createRequire(import.meta.url).resolve('@koromix/koffi-linux-x64');
  const workerData = { koffi, values, prototype: inWords('int abs(int, llama_batch)') };
  for (let round = 0; round < terminations; round++) {
    const thread = new Worker(looping, { eval: true, workerData });
    await once(thread, 'message');
    expect(await thread.terminate()).toBe(1);
  }
});
