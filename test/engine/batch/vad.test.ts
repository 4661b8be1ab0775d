/** A real recurrent model through the sequence batcher: streams that arrive interleaved get exactly what each would get alone. */

import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import type { SequenceOptions } from '../../../src/engine/batch/api.ts';
import { SequenceBatcher } from '../../../src/engine/batch/sequence-batcher.ts';
import { seed } from '../../support/seed.ts';
import { chunkSamples, remedy, soundOf, undisturbed, VadModel } from './vad-model.ts';

const streams = 64;
const chunks = 24;

const model = await VadModel.load();

type Batcher = SequenceBatcher<Float32Array, number, Float32Array>;

describe.skipIf(model === undefined)(`64 streams (${remedy})`, () => {
  const random = new Random(seed());
  const noise = (): number => random.below(2001) / 1000 - 1;
  const sounds = Array.from({ length: streams }, (_, index) => soundOf(index, chunks, noise));
  const chunkOf = (index: number, chunk: number): Float32Array =>
    sounds[index]!.subarray(chunk * chunkSamples, (chunk + 1) * chunkSamples);
  let alone: number[][] = [];

  function open(
    strategy: SequenceOptions<Float32Array, number, Float32Array>['strategy'],
  ): Batcher {
    return new SequenceBatcher({
      strategy,
      batchMax: 16,
      instances: 2,
      idleMs: 3_600_000,
      states: { begin: () => VadModel.newState(), end: (state) => void state.fill(Number.NaN) },
      execute: async (batch) => {
        const rows = batch.map((step) =>
          step.ready ? { sound: step.input, state: step.state } : undefined,
        );
        const outputs = await model!.run(rows);
        return batch.map((step, row) => {
          const { probability, state } = outputs[row]!;
          if (step.ready) step.state = state;
          return probability;
        });
      },
    });
  }

  /** All of a stream, with pauses in which others come. */
  async function stream(batcher: Batcher, index: number, id: string): Promise<number[]> {
    const told: number[] = [];
    for (let chunk = 0; chunk < chunks; chunk++) {
      for (let pause = random.below(4); pause > 0; pause--)
        await new Promise((resolve) => setImmediate(resolve));
      const flags = { id, start: chunk === 0, end: chunk === chunks - 1 };
      told.push(await batcher.submit(chunkOf(index, chunk), flags));
    }
    return told;
  }

  beforeAll(async () => {
    alone = await undisturbed(model!, sounds);
  });

  test('of which the model hears speech, and pauses', () => {
    expect(Math.max(...alone.flat())).toBeGreaterThan(0.5);
    expect(Math.min(...alone.flat())).toBeLessThan(0.1);
  });

  test.each([
    ['direct', { kind: 'direct' }],
    ['oldest', { kind: 'oldest', candidatesMax: 24, queueDelayMs: 1 }],
  ] as const)('%s: equal to undisturbed runs, exactly', async (_, strategy) => {
    const batcher = open(strategy);
    const told = await Promise.all(sounds.map((__, index) => stream(batcher, index, `${index}`)));
    expect(told).toEqual(alone);
    const { batches, completed, ended } = batcher.stats();
    expect(completed).toBe(streams * chunks);
    expect(ended.end).toBe(streams);
    expect(batches).toBeLessThan(completed / 2);
    await batcher.close();
  });

  test('whoever has the id and the slot of one that was given up gets what he would get alone', async () => {
    const batcher = open({ kind: 'oldest', candidatesMax: 4 });
    const told = await Promise.all(
      sounds.map(async (_, index) => {
        const id = `${index % 8}/${index >> 3}`;
        const giveUp = new AbortController();
        const begun = batcher.submit(chunkOf(63 - index, 0), { id, start: true });
        const given = batcher.submit(chunkOf(63 - index, 1), { id, signal: giveUp.signal });
        if (index % 3 === 0) await begun;
        giveUp.abort();
        await Promise.allSettled([begun, given]);
        return stream(batcher, index, id);
      }),
    );
    expect(told).toEqual(alone);
    expect(batcher.stats().cancelled).toBeGreaterThan(0);
    await batcher.close();
  });
});
