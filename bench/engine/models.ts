/** The models that the suite asks: the one that ships, and one with random weights that is as large as a small real one. */

import { fileURLToPath } from 'node:url';
import { writeModel } from './model.ts';

export interface BenchModel {
  readonly name: string;
  /** Tokens of a sequence: what it was trained with, or may be asked. */
  readonly roomTokens: number;
  /** Of requests in batches over requests with a context for each. */
  readonly floorOfBatches: number;
  /** @returns the path of its file */
  readonly file: (folder: string) => string;
}

const shipped = '../../../models/cenote-moby.gguf';

export const shippedModel: BenchModel = {
  name: 'moby',
  roomTokens: 1024,
  floorOfBatches: 1.3,
  file: () => fileURLToPath(new URL(shipped, import.meta.url)),
};

export const randomModel: BenchModel = {
  name: '6x512',
  roomTokens: 2048,
  floorOfBatches: 2,
  file: (folder) => writeModel(folder),
};

export const models: readonly BenchModel[] = [shippedModel, randomModel];
