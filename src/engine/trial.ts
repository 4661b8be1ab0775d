/**
 * A process that does once with a model what an engine does with it: loads it, cuts texts into tokens and puts them together, computes, and takes state. llama.cpp
 * ends the process on some files that are damaged; then it is this one. `node trial.js OPTIONS` says how it went as a line of JSON.
 */

import { CenoteError } from '../errors.ts';
import type { KvType } from './api.ts';
import { LlamaContext } from './llama/context.ts';
import { foreign } from './llama/foreign.ts';
import { LlamaModel } from './llama/model.ts';

/** The argument, as JSON. */
export interface TrialOptions {
  readonly path: string;
  readonly kvType: KvType;
  readonly memoryMaxBytes: number;
}

export interface TrialResult {
  readonly code: string | undefined;
  readonly message: string;
}

const batchTokens = 16;
/** All sorts of characters, and bytes that are none. */
const texts = ['Hello, world. 12 34\n\t', 'äß漢字🙂\u0000\uFFFF', ' ', 'a'.repeat(200)];

function tryOut({ path, kvType, memoryMaxBytes }: TrialOptions): void {
  foreign(false).limitMemory(memoryMaxBytes);
  const model = new LlamaModel(path);
  try {
    useText(model);
    const threads = 1;
    const shape = { contextTokens: 2 * batchTokens, sequences: 1, batchTokens, kvType, threads };
    const context = new LlamaContext(model, shape);
    try {
      compute(context);
    } finally {
      context.close();
    }
  } finally {
    model.close();
  }
}

function useText(model: LlamaModel): void {
  for (const text of texts) {
    model.detokenize(model.tokenize(text, false));
    model.detokenize(model.tokenize(text, true));
  }
  void model.description;
  void model.controlTexts;
  void model.tokenBytesMax;
  for (let token = 0; token < model.vocabulary; token++) model.isEnd(token);
  try {
    model.template([{ role: 'user', content: 'Hello' }]);
  } catch (error) {
    // Not known to llama.cpp: whoever asks for it hears of it.
    if (!(error instanceof CenoteError)) throw error;
  }
}

/** Tokens from all of the vocabulary, in one batch and one alone. */
function compute(context: LlamaContext): void {
  const { vocabulary } = context.model;
  context.begin();
  let row = 0;
  for (let at = 0; at < batchTokens; at++) {
    const token = Math.floor((at * (vocabulary - 1)) / (batchTokens - 1));
    row = context.add(0, at, token, at === batchTokens - 1);
  }
  context.compute();
  const logits = new Float32Array(vocabulary);
  context.logits(row, logits);
  context.begin();
  row = context.add(0, batchTokens, 0, true);
  context.compute();
  context.logits(row, logits);
  context.saveState(0);
}

function resultOf(options: TrialOptions): TrialResult {
  try {
    tryOut(options);
    return { code: undefined, message: '' };
  } catch (error) {
    const { path } = options;
    if (error instanceof CenoteError) {
      const { code, message } = error;
      return { code, message: code === 'engine_failed' ? `${path}: ${message}` : message };
    }
    const { message } = error instanceof Error ? error : new Error(String(error));
    return { code: 'engine_model_invalid', message: `${path} cannot be used: ${message}` };
  }
}

const result = resultOf(JSON.parse(process.argv[2] as string) as TrialOptions);
process.stdout.write(`${JSON.stringify(result)}\n`);
