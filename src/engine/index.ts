/** `cenote/engine`: language models whose attention state lives in a pool, and models on ONNX Runtime whose tensors do. */

import type { EngineOptions, LlamaEngine as Engine } from './api.ts';
import { openEngine } from './engine.ts';

export type * from './api.ts';
export type {
  Embedder,
  EmbedderStats,
  EmbeddingInput,
  Embeddings,
  EmbedOptions,
  InferModel,
  InferOptions,
  InferStats,
  TensorInfo,
  TensorValue,
} from './onnx/api.ts';
export { installedEncoder, openEmbedder, type EmbedderOptions } from './onnx/embedder.ts';
export { openFileModel } from './onnx/file-model.ts';
export { readSettings, settingsFrom, type ModelSettings } from './onnx/settings.ts';
export { TextModel } from './onnx/text-model.ts';
export type LlamaEngine = Engine;

/** An engine on llama.cpp. */
export const LlamaEngine: {
  /** @see openEngine */
  readonly open: (options: EngineOptions) => Promise<Engine>;
} = { open: openEngine };
