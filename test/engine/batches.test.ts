/** Batches change last digits and nothing else: the same tokens, forced, in a batch of 8 and one by one. */

import { describe, expect, it } from 'vitest';
import { seed } from '../support/seed.ts';
import { missingEngine, someTokens } from './support/models.ts';
import { Played, steps } from './support/played.ts';

const sequences = 8;
/** Largest difference of logits. */
const tolerance = 0.05;

type Forced = (step: number, sequence: number) => number;

/** Logits of all steps, sequence by sequence, with `together` sequences in a batch. */
function forced(
  played: Played,
  prompts: Int32Array[],
  token: Forced,
  together: number,
): Float32Array[] {
  const all: Float32Array[] = [];
  for (let first = 0; first < sequences; first += together) {
    const members = prompts.slice(first, first + together);
    members.forEach((prompt, index) => played.prefill(index, prompt, 0));
    for (let step = 0; step < steps; step++) {
      played.context.begin();
      const rows = members.map((prompt, index) =>
        played.context.add(index, prompt.length + step, token(step, first + index), true),
      );
      played.context.compute();
      rows.forEach((row, index) => {
        const logits = new Float32Array(played.model.vocabulary);
        played.context.logits(row, logits);
        all[(first + index) * steps + step] = logits;
      });
    }
    members.forEach((_, index) => played.context.remove(index));
  }
  return all;
}

describe.skipIf(missingEngine() !== undefined)('a batch of 8', () => {
  it.each(['f16', 'q8_0'] as const)(
    'has the logits of 8 alone, within a tolerance (%s)',
    (kvType) => {
      const played = new Played({ sequences, contextTokens: 256, kvType });
      const prompts = Array.from({ length: sequences }, (_, k) =>
        someTokens(20 + 9 * k, seed() + k),
      );
      const tokens = someTokens(sequences * steps, seed() + 100);
      const token: Forced = (step, sequence) => tokens[sequence * steps + step] as number;
      const [batched, alone] = [sequences, 1].map((together) =>
        forced(played, prompts, token, together),
      );
      expect(batched).toHaveLength(sequences * steps);
      let most = 0;
      batched?.forEach((logits, index) => {
        logits.forEach((value, at) => {
          most = Math.max(most, Math.abs(value - (alone?.[index]?.[at] as number)));
        });
      });
      expect(most).toBeLessThanOrEqual(tolerance);
    },
  );
});
