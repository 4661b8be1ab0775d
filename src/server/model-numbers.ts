/** What models of tensors count. */

import type { Embedder, EmbedderStats, InferModel, InferStats } from '../engine/onnx/api.ts';
import { sumFields } from './sums.ts';

export interface ModelNumbers {
  readonly embeddings?: EmbedderStats | undefined;
  /** By model. */
  readonly infer: Readonly<Record<string, InferStats>>;
}

/** Undefined where there are none. */
export function modelNumbersOf(
  embedder: Embedder | undefined,
  models: ReadonlyMap<string, InferModel>,
): ModelNumbers | undefined {
  if (embedder === undefined && models.size === 0) return undefined;
  const infer = Object.fromEntries([...models].map(([name, model]) => [name, model.stats()]));
  return { embeddings: embedder?.stats(), infer };
}

export function sumModels(all: readonly ModelNumbers[]): ModelNumbers {
  const embeddings = all.flatMap((one) => one.embeddings ?? []);
  const names = new Set(all.flatMap(({ infer }) => Object.keys(infer)));
  const infer = [...names].map((name): [string, InferStats] => {
    return [name, sumFields(all.flatMap((one) => one.infer[name] ?? []))];
  });
  return {
    ...(embeddings.length > 0 && { embeddings: sumFields(embeddings) }),
    infer: Object.fromEntries(infer),
  };
}

/** Of workers that are gone: nothing lives any more. */
export function pastModels({ infer, ...rest }: ModelNumbers): ModelNumbers {
  const ended = Object.entries(infer).map(([name, stats]) => [name, { ...stats, live: 0 }]);
  return { ...rest, infer: Object.fromEntries(ended) as ModelNumbers['infer'] };
}
