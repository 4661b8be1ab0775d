/** Small models with random weights, made when they are first asked for, and what tests do with them. */

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { openEngine } from '../../../src/engine/engine.ts';
import type {
  EngineOptions,
  GenerateRequest,
  GenerationResult,
  LlamaEngine,
} from '../../../src/engine/api.ts';
import { writeRandomModel } from '../../../src/engine/gguf/llama-model.ts';
import { foreign } from '../../../src/engine/llama/foreign.ts';
import { CenoteError, type ErrorCode } from '../../../src/errors.ts';

/** For all files that this process runs. */
const folder = mkdtempSync(join(tmpdir(), 'cenote-models-'));

export const smallVocabulary = 512;

const made = new Map<number, string>();

/** Path for a model that a test makes. */
export function modelFile(name: string): string {
  return join(folder, `${name}.gguf`);
}

/** Path of a model of 2 layers and 128 dimensions; another for another seed. */
export function smallModel(seed = 1): string {
  const known = made.get(seed);
  if (known !== undefined) return known;
  const path = modelFile(`small-${seed}`);
  const shape = { layers: 2, width: 128, heads: 4, kvHeads: 2, contextTokens: 2048 };
  writeRandomModel(path, { ...shape, vocabulary: smallVocabulary, seed });
  made.set(seed, path);
  return path;
}

/** Why engines cannot run here: tests that need them are skipped with it. */
export function missingEngine(): string | undefined {
  try {
    foreign();
    return undefined;
  } catch (error) {
    const isMissing =
      error instanceof CenoteError &&
      (error.code === 'engine_missing' || error.code === 'platform_unsupported');
    if (isMissing) return `${error.message} ${error.advice}`;
    throw error;
  }
}

/** Ordinary tokens, no control tokens. */
export function someTokens(count: number, seed: number): Int32Array {
  const random = new Random(seed);
  return Int32Array.from({ length: count }, () => 3 + random.below(smallVocabulary - 3));
}

/** An engine on the small model, one thread, closed after the test. */
export async function engine(options: Partial<EngineOptions> = {}): Promise<LlamaEngine> {
  const opened = await openEngine({
    modelPath: smallModel(),
    contextTokens: 512,
    sequences: 2,
    threads: 1,
    ...options,
  });
  onTestFinished(() => opened.close());
  return opened;
}

/** What it answers, with the digest of its logits; it does not end by itself. */
export function answer(of: LlamaEngine, request: GenerateRequest): Promise<GenerationResult> {
  return of.generate({ maxTokens: 64, ignoreEnd: true, logitsDigest: true, ...request }).result;
}

export async function codeOf(work: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof CenoteError) return error.code;
    throw error;
  }
}
