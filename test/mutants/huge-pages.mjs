/** What huge pages may not do without. */

const hugePages = 'test/memory/huge-pages.test.ts';

/** @type {import('../../scripts/mutants.mjs').Mutant[]} */
export const hugePageMutants = [
  {
    name: 'files that are mapped anywhere',
    why: 'huge pages are seen as such only at multiples of their size',
    file: 'src/memory/os-mappings.ts',
    from: 'const address = Math.ceil(reserved / hugePageBytes) * hugePageBytes;',
    to: 'const address = reserved + pageBytes;',
    test: hugePages,
    killer: 'a mapped region in memory lies at multiples of a huge page, for whoever maps it',
  },
  {
    name: 'huge pages at any price',
    why: 'a machine that has to make room first takes seconds',
    file: 'src/memory/huge-pages.ts',
    from: 'from < wholeBytes && nowMs() < endMs;',
    to: 'from < wholeBytes;',
    test: hugePages,
    killer: 'a file is reserved for no longer than anybody would wait',
  },
];
