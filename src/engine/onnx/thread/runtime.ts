/** ONNX Runtime, which users install who need it. Its types are those that are used here. */

import { createRequire } from 'node:module';
import { CenoteError, fail } from '../../../errors.ts';

const packageName = 'onnxruntime-node';
/** Said of by exceptions; on stderr of a server it would stand between other things. */
const fatalOnly = 4;

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

export interface OrtTensor {
  readonly type: string;
  readonly data: TensorData;
  readonly dims: readonly number[];
}

/** Of a tensor; a text is a dimension that may be any. */
export interface OrtMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

export interface OrtSession {
  readonly inputMetadata: readonly OrtMetadata[];
  readonly outputMetadata: readonly OrtMetadata[];
  /** `fetches`: where outputs are written; null where the runtime makes the tensor. */
  run(
    feeds: Readonly<Record<string, OrtTensor>>,
    fetches: Readonly<Record<string, OrtTensor | null>>,
  ): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

export interface OrtRuntime {
  readonly Tensor: new (type: string, data: TensorData, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(model: string | Uint8Array, options: object): Promise<OrtSession>;
  };
}

export function isRuntimeInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve(packageName);
    return true;
  } catch {
    return false;
  }
}

/** @throws onnx_missing */
export function loadRuntime(
  load: (name: string) => unknown = createRequire(import.meta.url),
): OrtRuntime {
  try {
    return load(packageName) as OrtRuntime;
  } catch (error) {
    return fail('onnx_missing', `The package ${packageName} cannot be loaded.`, error);
  }
}

/** @param model a file, or its bytes. @throws engine_model_invalid */
export async function openSession(
  runtime: OrtRuntime,
  model: string | Uint8Array,
  threads: number,
): Promise<OrtSession> {
  const options = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: fatalOnly,
    executionMode: 'sequential',
  };
  try {
    return await runtime.InferenceSession.create(model, options);
  } catch (error) {
    const what = typeof model === 'string' ? model : 'The model';
    const why = firstLine(error);
    throw new CenoteError('engine_model_invalid', `${what} cannot be opened: ${why}`, {
      cause: error,
    });
  }
}

/** @throws engine_failed */
export async function runSession(
  session: OrtSession,
  feeds: Readonly<Record<string, OrtTensor>>,
  fetches: Readonly<Record<string, OrtTensor | null>>,
): Promise<Readonly<Record<string, OrtTensor>>> {
  try {
    return await session.run(feeds, fetches);
  } catch (error) {
    return fail('engine_failed', `The model failed: ${firstLine(error)}`, error);
  }
}

const lineMax = 300;

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, lineMax);
}
