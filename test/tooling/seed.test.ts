import { describe, expect, it } from 'vitest';
import { chosenSeed } from '../support/seed.ts';

describe('the seed of a test file', () => {
  it('is the one that is given', () => {
    expect(chosenSeed({ CENOTE_SEED: '7', CENOTE_SEEDS_OF: 'a tree' }, 'a.test.ts')).toBe(7);
    expect(() => chosenSeed({ CENOTE_SEED: '2147483648' }, 'a.test.ts')).toThrow(/2147483648/);
    expect(() => chosenSeed({ CENOTE_SEED: 'seven' }, 'a.test.ts')).toThrow(/seven/);
  });

  it('follows from the tree and the file', () => {
    const of = (tree: string, file: string) => chosenSeed({ CENOTE_SEEDS_OF: tree }, file);
    expect(of('one', 'a.test.ts')).toBe(of('one', 'a.test.ts'));
    const seeds = [of('one', 'a.test.ts'), of('one', 'b.test.ts'), of('two', 'a.test.ts')];
    expect(new Set(seeds).size).toBe(3);
    expect(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31)).toBe(true);
  });
});
