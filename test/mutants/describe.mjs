/** The table of mutants as a document. */

const title = `# Mutants

What the sources may not do without: fences, checks, revalidations, and the order of steps. Each row is taken out of a copy of the sources, and
the test beside it must fail. A row that survives is a test that is missing.

| command | what it does |
|---|---|
| \`npm run mutants\` | all of them, after the same tests have passed without any |
| \`npm run mutants -- --only "NAME"\` | one |
| \`npm run mutants -- --write\` | writes this document from the table |

\`npm test\` tries a few of them, chosen by the seed that it prints; with \`CI=true\` all. A row whose text is no longer in its file, or is there
twice, fails at once: change it together with the sources. \`why\` says what a reader of the sources would otherwise have to guess.

`;

/** @param {readonly import('../../scripts/mutants.mjs').Mutant[]} mutants */
export function describeMutants(mutants) {
  const rows = mutants.map(
    ({ name, why, file, test, killer }) =>
      `| ${name} | ${why} | \`${file}\` | ${killer} (\`${test}\`) |`,
  );
  return `${title}| without … | because | in | killed by |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}
