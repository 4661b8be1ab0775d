/** Batchers on the system's time: what waits for time to pass is woken. */

import { expect, test } from 'vitest';
import { ContinuousBatcher } from '../../../src/engine/batch/continuous-batcher.ts';
import { DynamicBatcher } from '../../../src/engine/batch/dynamic-batcher.ts';
import { SequenceBatcher } from '../../../src/engine/batch/sequence-batcher.ts';
import { until } from '../../support/until.ts';

const echo = (batch: readonly { readonly input: string }[]): Promise<string[]> =>
  Promise.resolve(batch.map(({ input }) => input));

test('a batch that waits for others goes when its time is over', async () => {
  const batcher = new DynamicBatcher({ execute: echo, batchMax: 4, queueDelayMs: 2 });
  const answers = ['a', 'b'].map((name) => batcher.submit(name));
  expect(await Promise.all(answers)).toEqual(['a', 'b']);
  expect(batcher.stats().batches).toBe(1);
  await batcher.close();
});

test('a sequence that is idle ends', async () => {
  const ends: string[] = [];
  const batcher = new SequenceBatcher<string, string, number>({
    strategy: { kind: 'direct' },
    execute: (batch) => Promise.resolve(batch.map((step) => (step.ready ? step.input : ''))),
    batchMax: 4,
    idleMs: 3,
    states: { begin: () => 0, end: (_, { id }, reason) => void ends.push(`${id}: ${reason}`) },
  });
  expect(await batcher.submit('a', { id: 7, start: true })).toBe('a');
  await until(() => ends.length > 0);
  expect(ends).toEqual(['7: idle']);
  await batcher.drain();
});

test('a model that answers at once leaves others their turn: a caller can give up between steps', async () => {
  const giveUp = new AbortController();
  const model = { begin: () => 0, step: () => {}, end: () => {} };
  const batcher = new ContinuousBatcher({ model, slots: 2 });
  const request = { tokens: [1], maxTokens: 1_000_000, meta: undefined, signal: giveUp.signal };
  const answer = batcher.submit(request);
  await until(() => batcher.stats().generatedTokens > 10);
  giveUp.abort();
  await expect(answer).rejects.toMatchObject({ code: 'aborted' });
  await batcher.drain();
  expect(batcher.stats().slotsTaken).toBe(0);
});
