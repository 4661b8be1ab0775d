/** Requests in KServe's protocol, and models that answer them. */

import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { InferModel } from '../../../src/engine/onnx/api.ts';
import { openFileModel } from '../../../src/engine/onnx/file-model.ts';
import type { Graph } from '../../../src/engine/onnx/model-writer.ts';
import { readSettings, settingsFrom } from '../../../src/engine/onnx/settings.ts';
import { mappedPool, modelFile } from '../../engine/onnx/support.ts';
import type { Answer, Call } from '../support/client.ts';

/** The settings that the package has for Silero VAD. */
export const vadSettings: string = fileURLToPath(
  new URL('../../../models/silero-vad.json', import.meta.url),
);

/** Settings of a model that adds up what it is given. */
export const stateful = {
  states: [{ input: 'total', output: 'totalN' }],
  batching: 'oldest',
} as const;

/** A row of numbers as the input `x`. */
export function x(...data: unknown[]): object {
  return { name: 'x', datatype: 'FP32', shape: [1, data.length], data };
}

export async function graphModel(graph: Graph, settings: object = {}): Promise<InferModel> {
  const file = await modelFile(graph);
  const read = settingsFrom({ batching: 'dynamic', ...settings, file }, '/');
  return closedWithTest(await openFileModel(graph.name, read, await mappedPool()));
}

export async function vadModel(settings: object = {}): Promise<InferModel> {
  const read = { ...readSettings(vadSettings), ...settings };
  return closedWithTest(await openFileModel('vad', read, await mappedPool()));
}

function closedWithTest(model: InferModel): InferModel {
  onTestFinished(() => model.close());
  return model;
}

type Post = (method: string, path: string, options?: Call) => Promise<Answer>;

/** Asks with JSON only. */
export function ask(
  call: Post,
  model: string,
  request: object,
  options: Call = {},
): Promise<Answer> {
  return call('POST', `/v2/models/${model}/infer`, { ...options, body: JSON.stringify(request) });
}

/** Asks with bytes behind the JSON. */
export function askBinary(
  call: Post,
  model: string,
  request: object,
  ...tensors: readonly Uint8Array[]
): Promise<Answer> {
  const head = Buffer.from(JSON.stringify(request));
  const body = Buffer.concat([head, ...tensors]);
  const headers = { 'Inference-Header-Content-Length': String(head.length) };
  return call('POST', `/v2/models/${model}/infer`, { body, headers });
}

/** `error` of an answer that refuses. */
export function errorOf(answer: Answer): string {
  return String(answer.json()['error']);
}
