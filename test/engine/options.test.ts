/** Options of an engine are looked at before anything is loaded. */

import { expect, it } from 'vitest';
import { configOf } from '../../src/engine/requests.ts';
import type { EngineOptions } from '../../src/engine/api.ts';
import { hasCode } from '../../src/errors.ts';

const modelPath = 'model.gguf';

function refused(options: unknown): string {
  try {
    configOf(options as EngineOptions);
  } catch (error) {
    if (hasCode(error, 'invalid_argument')) return error.message;
    throw error;
  }
  return '';
}

it.each<[object, string]>([
  [{ sequences: 0 }, 'sequences must be a whole number from 1 to 64; got 0.'],
  [{ sequences: 65 }, 'sequences must be a whole number from 1 to 64; got 65.'],
  [{ batchTokens: 24 }, 'batchTokens must be a multiple of 16; got 24.'],
  [{ kvType: 'q4' }, 'kvType must be one of f32, f16, q8_0; got "q4".'],
  [{ exact: 'yes' }, 'exact must be true or false; got "yes".'],
  [{ instances: { min: 3, max: 2 } }, 'instances.max must be a whole number from 3 to 64; got 2.'],
  [{ threads: 1.5 }, 'threads must be a whole number from 1 to 256; got 1.5.'],
  [{ modelPath: 7 }, 'modelPath must be a text; got 7.'],
])('%j is refused', (options, message) => {
  expect(refused({ modelPath, ...options })).toBe(message);
});

it('is exact unless it is told otherwise', () => {
  expect(configOf({ modelPath }).exact).toBe(true);
  expect(configOf({ modelPath, exact: false }).exact).toBe(false);
});
