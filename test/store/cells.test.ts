/** The 64-bit cells of one writer, cut short between their two words. */

import { afterEach, expect, it, vi } from 'vitest';
import { readCell, writeCell } from '../../src/store/counters.ts';
import { armCrash, Crash, disarm } from '../support/instrumented-words.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

afterEach(disarm);

it('a cell that rises never falls, wherever its writer dies', () => {
  const rises = [
    [0, 1],
    [2 ** 32 - 1, 2 ** 32],
    [2 ** 40 + 5, 2 ** 41],
    [2 ** 52 + 2 ** 32 - 1, 2 ** 53 - 1],
  ] as const;
  for (const [from, to] of rises) {
    for (let access = 1; access <= 2; access++) {
      const words = new Int32Array(2);
      writeCell(words, 0, from);
      armCrash(access);
      expect(() => writeCell(words, 0, to)).toThrow(Crash);
      disarm();
      expect(readCell(words, 0)).toBeGreaterThanOrEqual(from);
    }
  }
});
