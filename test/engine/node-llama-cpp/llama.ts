/** node-llama-cpp itself, where it is installed, with the model that ships. */

import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, onTestFinished } from 'vitest';
import type {
  NodeLlamaContext,
  NodeLlamaSequence,
} from '../../../src/engine/node-llama-cpp/index.ts';

export const shippedModel: string = fileURLToPath(
  new URL('../../../models/cenote-moby.gguf', import.meta.url),
);

/** What the tests use of the package beside what is kept. */
export interface Sequence extends NodeLlamaSequence {
  evaluate(
    tokens: readonly number[],
    options: { readonly temperature: number },
  ): AsyncGenerator<number>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
}

interface Context extends NodeLlamaContext {
  getSequence(): Sequence;
  dispose(): Promise<void>;
}

interface Model {
  tokenize(text: string): number[];
  createContext(options: object): Promise<Context>;
}

interface Package {
  getLlama(options: object): Promise<{
    loadModel(options: { readonly modelPath: string }): Promise<Model>;
    dispose(): Promise<void>;
  }>;
}

/** Undefined where it is not installed. */
export function packagePath(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('node-llama-cpp');
  } catch {
    return undefined;
  }
}

export const missing: string | undefined =
  packagePath() === undefined
    ? 'node-llama-cpp is not installed: `npm ci` installs it on Linux x64'
    : undefined;

let opened: ReturnType<Package['getLlama']> | undefined;
const models = new Map<string, Promise<Model>>();

afterAll(async () => (await opened)?.dispose());

export async function modelAt(path: string): Promise<Model> {
  opened ??= import(pathToFileURL(packagePath() as string).href).then((from: Package) =>
    from.getLlama({ gpu: false, build: 'never', logLevel: 'disabled', progressLogs: false }),
  );
  const known = models.get(path) ?? (await opened).loadModel({ modelPath: path });
  models.set(path, known);
  return known;
}

/** A sequence of a context of its own. */
export async function sequence(
  options: object = {},
  path: string = shippedModel,
): Promise<Sequence> {
  const model = await modelAt(path);
  const context = await model.createContext({ contextSize: 256, threads: 1, ...options });
  onTestFinished(() => context.dispose());
  return context.getSequence();
}

/** The likeliest tokens that follow. @param first goes in before them */
export async function follow(of: Sequence, first: number, count: number): Promise<number[]> {
  const tokens: number[] = [];
  for await (const token of of.evaluate([first], { temperature: 0 })) {
    tokens.push(token);
    if (tokens.length === count) break;
  }
  return tokens;
}
