/** Prompts in the same pieces whoever else is there. */

import { describe, expect, it } from 'vitest';
import type {
  ContinuousOptions,
  Run,
  StepBatch,
  TokenModel,
} from '../../../src/engine/batch/continuous-api.ts';
import { ContinuousBatcher } from '../../../src/engine/batch/continuous-batcher.ts';
import { ManualTime } from './manual-time.ts';

/** Notes where the pieces of each prompt began and ended. */
class NotingModel implements TokenModel<number> {
  readonly pieces = new Map<number, [from: number, to: number][]>();
  readonly steps: number[][] = [];
  readonly restored: number;

  constructor(restored: number) {
    this.restored = restored;
  }

  begin({ length }: Run<number>): number {
    return Math.min(this.restored, length - 1);
  }

  step({ size, runs, counts, next }: StepBatch<number>): void {
    this.steps.push(Array.from(counts.subarray(0, size)));
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

async function played(
  lengths: readonly number[],
  maxTokens: number,
  model: NotingModel,
  options: Pick<ContinuousOptions<number>, 'slots' | 'stepTokens' | 'joinedChunks'>,
): Promise<NotingModel> {
  const timers = new ManualTime();
  const chunks = { chunkTokens: 8, alignChunks: true, contextTokens: 100 };
  const batcher = new ContinuousBatcher({ model, ...chunks, ...options, timers });
  const answers = lengths.map((length, meta) =>
    batcher.submit({ tokens: new Int32Array(length).fill(5), maxTokens, meta }),
  );
  await timers.settle();
  for (let steps = 0; steps < 200; steps++) await timers.settle();
  await Promise.all(answers);
  return model;
}

async function pieces(lengths: readonly number[], restored = 0): Promise<NotingModel['pieces']> {
  const model = new NotingModel(restored);
  return (await played(lengths, 6, model, { slots: 4, stepTokens: 12 })).pieces;
}

/** Prompts of these lengths in slots from 0 on, of which nobody wants more than a token: of each step the lengths of its pieces. */
async function stepsOf(lengths: readonly number[], joinedChunks: number): Promise<number[][]> {
  const options = { slots: 8, stepTokens: 15, joinedChunks };
  return (await played(lengths, 1, new NotingModel(0), options)).steps;
}

describe('pieces of prompts in slots beside each other', () => {
  it('are in one step beyond its tokens, so many of one length', async () => {
    expect(await stepsOf([8, 8, 8, 8, 8], 1)).toEqual([[8], [8], [8], [8], [8]]);
    expect(await stepsOf([8, 8, 8, 8, 8], 2)).toEqual([[8, 8], [8, 8], [8]]);
    expect(await stepsOf([8, 8, 8, 8, 8], 4)).toEqual([[8, 8, 8, 8], [8]]);
  });

  it('are not where one is shorter, or another is between', async () => {
    expect(await stepsOf([8, 7, 5], 3)).toEqual([[8, 7], [5]]);
    expect(await stepsOf([16, 9, 16], 2)).toEqual([[8, 8], [8, 1], [8], [8]]);
  });

  it('are not where they are apart', async () => {
    // Whoever was in slot 1 is over when slot 0 has its second.
    expect(await stepsOf([24, 8, 8], 2)).toEqual([[8, 8], [8], [8], [8]]);
    expect(await stepsOf([8, 24, 8], 2)).toEqual([[8, 8], [8, 8], [8]]);
  });

  it('go on with the budget after those that are together', async () => {
    expect(await stepsOf([4, 4, 4, 4, 4], 2)).toEqual([
      [4, 4, 4],
      [4, 4],
    ]);
  });

  it('must be at least one', async () => {
    await expect(stepsOf([8], 0)).rejects.toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });
});

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
