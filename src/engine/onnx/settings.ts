/** How a model from a file is served: a small JSON file that says what the model's own file does not. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { show } from '../../base/show.ts';
import { fail } from '../../errors.ts';
import type { OverlapSpec, StateSpec } from './thread/protocol.ts';

export const batchings = ['none', 'dynamic', 'direct', 'oldest'] as const;
/** `direct` and `oldest` are for models with state, as the sequence batcher has them. */
export type Batching = (typeof batchings)[number];

export interface ModelSettings {
  /** Path of the .onnx file. */
  readonly file: string;
  readonly batching: Batching;
  /** Rows of a batch. Of `none` it is not looked at. */
  readonly batchMax: number;
  readonly queueDelayMs: number;
  /** Of `oldest`: sequences at a time, per instance. */
  readonly candidatesMax: number;
  /** A sequence of which nothing has come for so long is over. */
  readonly idleMs: number;
  readonly priorityLevels: number;
  readonly instances: number;
  /** Of the runtime, per instance. */
  readonly threads: number;
  /** Room for the tensors of a batch, per instance. */
  readonly tensorBytes: number;
  readonly states: readonly StateSpec[];
  readonly overlaps: readonly OverlapSpec[];
  readonly constants: Readonly<Record<string, number | readonly number[]>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

const defaults: Omit<ModelSettings, 'file'> = {
  batching: 'none',
  batchMax: 16,
  queueDelayMs: 0,
  candidatesMax: 64,
  idleMs: 60_000,
  priorityLevels: 1,
  instances: 1,
  threads: 1,
  tensorBytes: 4 * 2 ** 20,
  states: [],
  overlaps: [],
  constants: {},
  shapes: {},
};

/** Names of a folder's own settings and model. */
const settingsName = 'model.json';
const modelName = 'model.onnx';
const packagePrefix = 'npm:';

const bounds: Readonly<Record<string, readonly [number, number]>> = {
  batchMax: [1, 1024],
  queueDelayMs: [0, 60_000],
  candidatesMax: [1, 4096],
  idleMs: [1, 86_400_000],
  priorityLevels: [1, 16],
  instances: [1, 16],
  threads: [1, 64],
  tensorBytes: [4096, 2 ** 30],
};

/**
 * @param path an .onnx file, a JSON file of settings, or a folder with `model.onnx` and perhaps `model.json`
 * @throws engine_model_invalid
 */
export function readSettings(path: string): ModelSettings {
  if (extname(path) === '.onnx') return { ...defaults, file: path };
  const isFile = extname(path) === '.json';
  const folder = isFile ? dirname(path) : path;
  const given = readFields(isFile ? path : join(folder, settingsName), isFile);
  return settingsFrom(given, folder);
}

function readFields(path: string, isNeeded: boolean): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (!isNeeded && code === 'ENOENT') return {};
    fail('engine_model_invalid', `The settings ${path} cannot be read as JSON.`, error);
  }
  return fail('engine_model_invalid', `The settings ${path} are not a JSON object.`);
}

/** @param folder what the path of the model starts from. @throws engine_model_invalid */
export function settingsFrom(
  given: Readonly<Record<string, unknown>>,
  folder: string,
): ModelSettings {
  const { file = modelName } = given;
  for (const [name, value] of Object.entries(given)) {
    if (name !== 'file' && !Object.hasOwn(defaults, name)) refuse(name, 'not a setting');
    const bound = bounds[name];
    if (bound === undefined) continue;
    const [min, max] = bound;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      refuse(name, `${show(value)}: it is a whole number from ${min} to ${max}`);
  }
  const settings = { ...defaults, ...given } as Omit<ModelSettings, 'file'>;
  if (!batchings.includes(settings.batching))
    refuse('batching', `${show(settings.batching)}: it is one of ${batchings.join(', ')}`);
  if (typeof file !== 'string') refuse('file', `${show(file)}: it is a path`);
  checkLists(settings);
  return { ...settings, file: locate(file, folder) };
}

function checkLists({
  batching,
  states,
  overlaps,
  constants,
  shapes,
}: Omit<ModelSettings, 'file'>): void {
  const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0;
  const areAll = (list: unknown, isRight: (each: Readonly<Record<string, unknown>>) => boolean) =>
    Array.isArray(list) &&
    list.every(
      (each: unknown) => typeof each === 'object' && each !== null && isRight({ ...each }),
    );
  if (
    !areAll(
      states,
      (each) => typeof each['input'] === 'string' && typeof each['output'] === 'string',
    )
  )
    refuse('states', 'not a list of {input, output}');
  if (!areAll(overlaps, (each) => typeof each['input'] === 'string' && isCount(each['elements'])))
    refuse('overlaps', 'not a list of {input, elements}');
  const isNumbers = (value: unknown): boolean =>
    Array.isArray(value) && value.every((each) => typeof each === 'number');
  const areNumbers = (record: object): boolean =>
    Object.values(record).every((value) => typeof value === 'number' || isNumbers(value));
  if (!areNumbers(constants)) refuse('constants', 'not numbers by name');
  const isShape = (value: unknown): boolean =>
    Array.isArray(value) && value.every((size) => size === -1 || isCount(size));
  if (!Object.values(shapes).every(isShape))
    refuse('shapes', 'not shapes by name: whole numbers, -1 for any');
  const hasState = states.length + overlaps.length > 0;
  if (hasState && batching !== 'direct' && batching !== 'oldest')
    refuse('batching', `${batching}: a model with state takes direct or oldest`);
}

function refuse(name: string, why: string): never {
  fail('engine_model_invalid', `The setting ${show(name)} is ${why}.`);
}

/** A path from the folder of the settings, or `npm:PACKAGE/PATH` within a package that is installed. */
function locate(file: string, folder: string): string {
  if (!file.startsWith(packagePrefix)) return resolve(folder, file);
  const words = file.slice(packagePrefix.length).split('/');
  const name = words.splice(0, words[0]?.startsWith('@') === true ? 2 : 1).join('/');
  try {
    const found = createRequire(import.meta.url).resolve(name);
    const at = found.lastIndexOf(join('node_modules', name));
    return join(found.slice(0, at), 'node_modules', name, ...words);
  } catch (error) {
    return fail('engine_model_invalid', `The package ${name} is not installed.`, error);
  }
}
