/** What becomes of mutants is told as it is. */

import { execFile } from 'node:child_process';
import { expect, it } from 'vitest';

const table = 'test/tooling/fixtures/mutants/table.mjs';
/** Of a run; the one that waits for ever takes so long. */
const limitSeconds = 5;
const args = ['scripts/mutants.mjs', '--table', table, '--jobs', '1', '--limit', `${limitSeconds}`];

it('those that nothing kills, and those that are no programs, are told from killed ones', async () => {
  const [status, output] = await new Promise<[unknown, string]>((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) =>
      resolve([error?.code ?? 0, stdout + stderr]),
    );
  });
  const fates = [...output.matchAll(/^(killed|SURVIVED|BROKEN) +[\d.]+ s {2}(.+?) {2,}test\//gm)];
  expect(fates.map(([, fate, name]) => `${name}: ${fate}`)).toEqual([
    'without the mode: killed',
    'the same in other words: SURVIVED',
    'without the mode, again: killed',
    'that ends its process: BROKEN',
    'that is no program: BROKEN',
    'that waits for ever: killed',
    'the same in more words: SURVIVED',
  ]);
  expect(output).toContain('Worker forks emitted error');
  expect(output).toContain('makeNothing is not defined');
  expect(output).toContain('hangs');
  expect(output).toContain('3 of 7 mutants killed');
  expect(status).toBe(1);
});
