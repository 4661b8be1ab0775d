/** What zeroing may not do without. */

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const zeroing = [
  {
    name: 'zeroes that end with a whole piece',
    why: 'what is behind the last one held bytes of somebody, too',
    file: 'src/memory/zeroes.ts',
    from: '  target.set(zeroes.subarray(0, to - at), at);',
    to: '  if (at === from) target.set(zeroes.subarray(0, to - at), at);',
    test: 'test/memory/zeroes.test.ts',
    killer: `in shared memory ${3 * 2 ** 16 + 1} bytes are zero, and those beside them what they were`,
  },
];
