/**
 * A sequence of node-llama-cpp, as far as it is used here: its public names, declared anew so that the package is needed by those only who have it.
 * Made for 3.22; any later one that keeps these names will do.
 */

import { show } from '../../base/show.ts';
import { fail } from '../../errors.ts';
import { digestOf, stampOf } from '../digest.ts';

export interface NodeLlamaModel {
  readonly fileInfo: {
    /** The files it was loaded from. */
    readonly sourceData: readonly { readonly type: string; readonly path?: string }[];
  };
  readonly llama: { readonly llamaCppRelease: { readonly release: string } };
}

export interface NodeLlamaContext {
  readonly totalSequences: number;
  readonly flashAttention: boolean | 'auto';
  readonly kvCacheKeyType: number;
  readonly kvCacheValueType: number;
}

/** A `LlamaContextSequence`. */
export interface NodeLlamaSequence {
  readonly disposed: boolean;
  /** Most tokens that it can hold. */
  readonly contextSize: number;
  /** A copy. */
  readonly contextTokens: readonly number[];
  readonly tokenPredictor: object | undefined;
  readonly context: NodeLlamaContext;
  readonly model: NodeLlamaModel;
  saveStateToFile(path: string): Promise<{ readonly fileSize: number }>;
  loadStateFromFile(path: string, options: { acceptRisk: true }): Promise<void>;
  clearHistory(): Promise<void>;
}

/** What a state fits to: all of it must be the same, or the library refuses the state, or goes wrong with it. */
export interface StateIdentity {
  /** SHA-256 of the model's files, in hex. */
  readonly model: string;
  readonly release: string;
  readonly totalSequences: number;
  /** `auto` may be either. */
  readonly flashAttention: boolean | 'auto';
  readonly keyType: number;
  readonly valueType: number;
}

/** @throws invalid_argument unless it is a sequence whose state can be taken and given */
export function checkSequence(sequence: NodeLlamaSequence): void {
  const isSequence =
    typeof sequence === 'object' &&
    sequence !== null &&
    typeof sequence.saveStateToFile === 'function' &&
    typeof sequence.loadStateFromFile === 'function';
  if (!isSequence) {
    fail('invalid_argument', `A LlamaContextSequence is needed; got ${show(sequence)}.`);
  }
  if (sequence.disposed) fail('invalid_argument', 'The sequence was disposed.');
  if (sequence.tokenPredictor === undefined) return;
  // It computes ahead: its state may have more tokens than are told.
  fail('invalid_argument', 'The state of a sequence with a token predictor is not kept.');
}

/** Digests of models, once for each that is loaded, as long as its files are the same. */
const known = new WeakMap<NodeLlamaModel, { readonly stamp: string; readonly digest: string }>();

/** @throws engine_model_invalid when a file of the model cannot be read any more */
export async function identityOf({ model, context }: NodeLlamaSequence): Promise<StateIdentity> {
  return {
    model: await modelDigest(model),
    release: model.llama.llamaCppRelease.release,
    totalSequences: context.totalSequences,
    flashAttention: context.flashAttention,
    keyType: context.kvCacheKeyType,
    valueType: context.kvCacheValueType,
  };
}

async function modelDigest(model: NodeLlamaModel): Promise<string> {
  const paths = model.fileInfo.sourceData.map(({ path }) => path);
  if (paths.length === 0 || !paths.every((path) => path !== undefined)) {
    fail('engine_model_invalid', 'The model does not say which files it was loaded from.');
  }
  const stamp = paths.map(stampOf).join('\n');
  const before = known.get(model);
  if (before?.stamp === stamp) return before.digest;
  const digests: string[] = [];
  for (const path of paths) digests.push((await digestOf(path)).digest);
  const digest = digests.join('+');
  known.set(model, { stamp, digest });
  return digest;
}

/** The first thing in which a state does not fit, in words; undefined: it does. */
export function differenceOf(state: StateIdentity, here: StateIdentity): string | undefined {
  if (state.model !== here.model) return `of another model (${brief(state)}, not ${brief(here)})`;
  if (state.release !== here.release) return `of llama.cpp ${state.release}, not ${here.release}`;
  if (state.totalSequences !== here.totalSequences) {
    return `of a context with sequences: ${state.totalSequences}, not ${here.totalSequences}`;
  }
  const attention = [state.flashAttention, here.flashAttention];
  if (attention[0] !== attention[1] && !attention.includes('auto')) {
    return `of a context with flashAttention: ${attention[0]}, not ${attention[1]}`;
  }
  const [types, typesHere] = [state, here].map((each) => `${each.keyType}/${each.valueType}`);
  return types === typesHere ? undefined : `of KV cache types ${types}, not ${typesHere}`;
}

function brief({ model }: StateIdentity): string {
  return `${model.slice(0, 12)}…`;
}
