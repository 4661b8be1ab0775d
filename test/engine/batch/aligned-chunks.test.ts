/** Prompts in the same pieces whoever else is there. */

import { describe, expect, it } from 'vitest';
import type { Run, StepBatch, TokenModel } from '../../../src/engine/batch/continuous-api.ts';
import { ContinuousBatcher } from '../../../src/engine/batch/continuous-batcher.ts';
import { ManualTime } from './manual-time.ts';

/** Notes where the pieces of each prompt began and ended. */
class NotingModel implements TokenModel<number> {
  readonly pieces = new Map<number, [from: number, to: number][]>();
  readonly restored: number;

  constructor(restored: number) {
    this.restored = restored;
  }

  begin({ length }: Run<number>): number {
    return Math.min(this.restored, length - 1);
  }

  step({ size, runs, counts, next }: StepBatch<number>): void {
    for (let member = 0; member < size; member++) {
      const { meta, computed } = runs[member] as Run<number>;
      const known = this.pieces.get(meta) ?? [];
      known.push([computed, computed + (counts[member] as number)]);
      this.pieces.set(meta, known);
      next[member] = 1;
    }
  }

  end(): void {}
}

async function pieces(lengths: readonly number[], restored = 0): Promise<NotingModel['pieces']> {
  const model = new NotingModel(restored);
  const timers = new ManualTime();
  const options = { slots: 4, chunkTokens: 8, stepTokens: 12, alignChunks: true };
  const batcher = new ContinuousBatcher({ model, ...options, contextTokens: 100, timers });
  const answers = lengths.map((length, meta) =>
    batcher.submit({ tokens: new Int32Array(length).fill(5), maxTokens: 6, meta }),
  );
  await timers.settle();
  for (let steps = 0; steps < 200; steps++) await timers.settle();
  await Promise.all(answers);
  return model.pieces;
}

describe('pieces of prompts', () => {
  it('end at multiples of a chunk, whoever else is there', async () => {
    const [alone] = (await pieces([30])).values();
    const crowd = await pieces([30, 17, 9, 30, 5, 30]);
    for (const meta of [0, 3, 5]) expect(crowd.get(meta)).toEqual(alone);
    expect(alone?.slice(0, 4)).toEqual([
      [0, 8],
      [8, 16],
      [16, 24],
      [24, 30],
    ]);
  });

  it('end there also when something was brought back that does not', async () => {
    const [alone] = (await pieces([30], 3)).values();
    expect(alone?.slice(0, 3)).toEqual([
      [3, 8],
      [8, 16],
      [16, 24],
    ]);
  });

  it('need steps that have room for one beside all answers', () => {
    const model = new NotingModel(0);
    const options = { model, slots: 4, chunkTokens: 8, alignChunks: true, contextTokens: 100 };
    expect(() => new ContinuousBatcher({ ...options, stepTokens: 10 })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
    expect(() => new ContinuousBatcher({ ...options, stepTokens: 11 })).not.toThrow();
  });
});
