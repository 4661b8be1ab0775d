/** All models of a server. */

import type { LlamaEngine } from '../engine/api.ts';
import type { DataLayout } from '../guard/layout.ts';
import type { Io } from './io.ts';
import { type EngineConfig, openServedEngine, type ServedEngine } from './serve-engine.ts';
import { openServedOnnx, type OnnxConfig, type ServedOnnx } from './serve-onnx.ts';

/** The part of the settings of a server that is about its models. */
interface Settings {
  readonly engine: EngineConfig;
  readonly onnx: OnnxConfig;
  readonly layout: DataLayout;
  readonly json: boolean;
}

export interface ServedModels extends ServedOnnx {
  readonly engine: LlamaEngine | undefined;
  readonly follow: ServedEngine['follow'];
}

export async function openServedModels(config: Settings, io: Io): Promise<ServedModels> {
  const onnx = await openServedOnnx(config.onnx, config.layout);
  try {
    const served = await openServedEngine(config, io);
    return {
      ...onnx,
      engine: served?.engine,
      follow: async (tenants) => served?.follow(tenants),
      async close() {
        await onnx.close();
        await served?.close();
      },
    };
  } catch (error) {
    await onnx.close();
    throw error;
  }
}
