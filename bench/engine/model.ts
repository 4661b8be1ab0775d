/** The model that the suite measures: random weights compute as long as trained ones. */

import { join } from 'node:path';
import { writeRandomModel } from '../../src/engine/gguf/llama-model.ts';
import { LlamaContext } from '../../src/engine/llama/context.ts';
import type { LlamaModel } from '../../src/engine/llama/model.ts';
import { Counters } from '../../src/engine/state/counters.ts';
import { StateKeeper } from '../../src/engine/state/keeper.ts';
import { parseState } from '../../src/engine/state/rows.ts';
import type { Pool } from '../../src/pool/api.ts';

export const mib: number = 2 ** 20;

const shape = { layers: 6, width: 512, heads: 8, kvHeads: 8, vocabulary: 4096, seed: 1 };

/** @returns its path */
export function writeModel(folder: string): string {
  const path = join(folder, 'model.gguf');
  writeRandomModel(path, { ...shape, contextTokens: 4096 });
  return path;
}

/** Keeps state of this model in a pool. */
export function keeperOf(model: LlamaModel, pool: Pool): StateKeeper {
  const probe = {
    contextTokens: 64,
    sequences: 1,
    batchTokens: 64,
    kvType: 'f16',
    threads: 1,
  } as const;
  const context = new LlamaContext(model, probe);
  context.begin();
  context.add(0, 0, 0, false);
  context.compute();
  const state = context.saveState(0);
  const parsed = state && parseState(state);
  context.close();
  if (parsed === undefined) throw new Error('the state cannot be cut');
  return new StateKeeper({
    pool,
    model: {
      digest: 'bench',
      libraryVersion: '',
      flashAttention: true,
      exact: true,
      shape: parsed.shape,
    },
    salt: '',
    writeQueueBytes: 256 * mib,
    counters: new Counters(),
  });
}
