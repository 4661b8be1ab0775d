/** A real recurrent model over HTTP: streams that arrive interleaved get exactly what each would get alone. */

import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import {
  chunkSamples,
  remedy,
  soundOf,
  undisturbed,
  VadModel,
} from '../../engine/batch/vad-model.ts';
import { missingVad } from '../../engine/onnx/support.ts';
import { seed } from '../../support/seed.ts';
import { serve } from '../support/serve.ts';
import type { Answer } from '../support/client.ts';
import { askBinary, vadModel } from './support.ts';

const streams = 64;
const chunks = 6;

function probabilityOf({ body, headers }: Answer): number {
  const from = Number(headers['inference-header-content-length']);
  return body.readFloatLE(from);
}

describe.skipIf(missingVad)(`64 streams (${remedy})`, () => {
  const random = new Random(seed());
  const noise = (): number => random.below(2001) / 1000 - 1;
  const sounds = Array.from({ length: streams }, (_, index) => soundOf(index, chunks, noise));
  const chunkOf = (index: number, chunk: number): Float32Array =>
    sounds[index]!.subarray(chunk * chunkSamples, (chunk + 1) * chunkSamples);
  let alone: number[][] = [];

  beforeAll(async () => {
    alone = await undisturbed((await VadModel.load())!, sounds);
  });

  test.each([
    ['direct', { batching: 'direct', batchMax: 16, instances: 2 }],
    ['oldest', { batching: 'oldest', batchMax: 16, candidatesMax: 24, queueDelayMs: 1 }],
  ])('%s: equal to undisturbed runs, exactly, ids used again', async (_, settings) => {
    const model = await vadModel(settings);
    const { call } = await serve({ inferModels: [model] });
    const step = async (index: number, chunk: number): Promise<number> => {
      const parameters = {
        sequence_id: index + 1,
        sequence_start: chunk === 0,
        sequence_end: chunk === chunks - 1,
        binary_data_output: true,
      };
      const sound = new Uint8Array(chunkOf(index, chunk).slice().buffer);
      const shape = [1, chunkSamples];
      const own = { binary_data_size: sound.length };
      const input = { name: 'input', datatype: 'FP32', shape, parameters: own };
      return probabilityOf(await askBinary(call, 'vad', { parameters, inputs: [input] }, sound));
    };
    const stream = async (index: number): Promise<number[]> => {
      const told: number[] = [];
      for (let chunk = 0; chunk < chunks; chunk++) told.push(await step(index, chunk));
      return told;
    };
    const told = await Promise.all(sounds.map((__, index) => stream(index)));
    expect(told).toEqual(alone);
    // Once more with the same ids, and slots that others had.
    const again = await Promise.all([63, 5, 17].map((index) => stream(index)));
    expect(again).toEqual([63, 5, 17].map((index) => alone[index]));
    const { batches, completed, live } = model.stats();
    expect(completed).toBe((streams + 3) * chunks);
    expect(batches).toBeLessThan(completed);
    expect(live).toBe(0);
  });
});
