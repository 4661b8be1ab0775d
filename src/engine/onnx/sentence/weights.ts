/** Reads the weights of a model that is kept for TensorFlow.js: `model.json`, and files of bytes, one tensor after the other. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../../errors.ts';

export interface Weight {
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array;
}

interface Listed {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: unknown;
}

interface Manifest {
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly Listed[];
  }[];
}

/** @throws engine_model_invalid */
export function readWeights(folder: string): ReadonlyMap<string, Weight> {
  try {
    const { weightsManifest } = JSON.parse(
      readFileSync(join(folder, 'model.json'), 'utf8'),
    ) as Manifest;
    const weights = new Map<string, Weight>();
    for (const group of weightsManifest) {
      const bytes = Buffer.concat(group.paths.map((path) => readFileSync(join(folder, path))));
      takeGroup(group.weights, bytes, weights);
    }
    return weights;
  } catch (error) {
    return fail('engine_model_invalid', `The model in ${folder} cannot be read.`, error);
  }
}

function takeGroup(listed: readonly Listed[], bytes: Buffer, weights: Map<string, Weight>): void {
  let from = 0;
  for (const { name, shape, dtype, quantization } of listed) {
    if (quantization !== undefined || (dtype !== 'float32' && dtype !== 'int32'))
      throw new Error(`${name} is of type ${dtype}, or quantised`);
    const sizeBytes = shape.reduce((product, size) => product * size, 4);
    if (from + sizeBytes > bytes.length) throw new Error(`${name} ends after its file`);
    const own = new Uint8Array(bytes.subarray(from, from + sizeBytes)).buffer;
    const data = dtype === 'float32' ? new Float32Array(own) : new Int32Array(own);
    weights.set(name, { dims: shape, data });
    from += sizeBytes;
  }
}
