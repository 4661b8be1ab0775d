/** `cenote/engine`: language models whose attention state lives in a pool. */

import type { EngineOptions, LlamaEngine as Engine } from './api.ts';
import { openEngine } from './engine.ts';

export type * from './api.ts';
export type LlamaEngine = Engine;

/** An engine on llama.cpp. */
export const LlamaEngine: {
  /** @see openEngine */
  readonly open: (options: EngineOptions) => Promise<Engine>;
} = { open: openEngine };
