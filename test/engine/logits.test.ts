/** Weights that are no numbers: whoever meets them hears of it, and nobody else. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { llamaMetadata, randomTensors } from '../../src/engine/gguf/llama-model.ts';
import { firstPieceToken, madeUpPieces, tokenizerOf } from '../../src/engine/gguf/vocabulary.ts';
import { writeGguf } from '../../src/engine/gguf/writer.ts';
import { pool } from '../pool/support/pools.ts';
import { answer, codeOf, engine, missingEngine, someTokens } from './support/models.ts';

const shape = {
  layers: 1,
  width: 64,
  heads: 2,
  kvHeads: 2,
  vocabulary: 512,
  contextTokens: 512,
};
const bad = 500;
const folder = mkdtempSync(join(tmpdir(), 'cenote-logits-'));
const modelPath = join(folder, 'nan.gguf');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Only token `bad` has a vector that is none. */
beforeAll(() => {
  const tensors = randomTensors(shape, 'f32', 1).map((tensor) => {
    if (tensor.name !== 'token_embd.weight') return tensor;
    const values = tensor.values();
    values.fill(NaN, bad * shape.width, (bad + 1) * shape.width);
    return { ...tensor, values: () => values };
  });
  const pieces = tokenizerOf(madeUpPieces(shape.vocabulary - firstPieceToken));
  writeGguf(modelPath, { ...llamaMetadata('nan', shape, 'f32'), ...pieces }, tensors);
});

function good(seed: number, count = 40): Int32Array {
  return someTokens(count, seed).map((token) => (token === bad ? token - 1 : token));
}

describe.skipIf(missingEngine() !== undefined)('an answer', () => {
  it.each([0, 0.7])(
    'of no numbers is an error (temperature %s), and nobody else meets it',
    async (temperature) => {
      const kept = await pool();
      const one = await engine({ modelPath, pool: kept });
      const alone = await answer(one, { tokens: good(1), maxTokens: 8 });
      const tokens = Int32Array.of(...good(2), bad, 7);
      const [failed, beside] = await Promise.allSettled([
        one.generate({ tokens, temperature, maxTokens: 8 }).result,
        answer(one, { tokens: good(1), maxTokens: 8 }),
      ]);
      expect(failed).toMatchObject({
        reason: {
          code: 'engine_logits_invalid',
          message: `The model ${modelPath} gave logits that are no numbers, after 42 tokens.`,
        },
      });
      expect(beside).toMatchObject({ value: { text: alone.text } });
      await one.flushed();
      // Nothing of it is kept, not even what came before.
      const before = await answer(one, { tokens: Int32Array.of(...good(2), 8), maxTokens: 2 });
      expect(before.usage.cachedTokens).toBe(0);
      expect(await codeOf(one.generate({ tokens: [bad] }).result)).toBe('engine_logits_invalid');
    },
  );
});
