/** What models of tensors count, for the metrics page. */

import type { ModelNumbers } from '../model-numbers.ts';
import { counter, gauge, joined, labelled, type Family } from './exposition.ts';

export function modelFamilies({ embeddings, infer }: ModelNumbers): Family[] {
  const groups = Object.entries(infer).map(([name, stats]) => {
    const outcomes = { completed: stats.completed, failed: stats.failed };
    const families = [
      counter('infer_requests', 'Requests that models have taken in.', stats.accepted),
      labelled(
        'counter',
        'infer_answers_total',
        'Answers of models, by outcome.',
        Object.entries(outcomes).map(([outcome, value]) => ({ labels: { outcome }, value })),
      ),
      counter('infer_batches', 'Batches that models have run.', stats.batches),
      gauge('infer_sequences', 'Sequences that live.', stats.live),
    ];
    return { name, families };
  });
  const vectors =
    embeddings === undefined
      ? []
      : [
          counter('embedding_inputs', 'Inputs that vectors were asked of.', embeddings.inputs),
          counter('embedding_hits', 'Those whose vectors were kept.', embeddings.hits),
          counter('embedding_unkept', 'Vectors the pool had no room for.', embeddings.unkept),
          counter('embedding_batches', 'Batches of the sentence encoder.', embeddings.batches),
          counter('embedding_rows', 'Inputs that were computed.', embeddings.rows),
        ];
  return [...joined('model', groups), ...vectors];
}
