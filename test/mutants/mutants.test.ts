/** Mutants of the sources are killed by the tests that are named beside them: a few in a normal run, all with CI=true. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { seed } from '../support/seed.ts';

const all = process.env['CI'] === 'true';
const sampleSize = 3;
/** A bound against a run that hangs: within that of a file (scripts/vitest-watch.mjs). */
const limitMs = all ? 1_400_000 : 120_000;

/** What the script prints, its errors too. */
async function mutants(...options: string[]): Promise<string> {
  const env = { ...process.env, CENOTE_SEED: String(seed()) };
  const run = promisify(execFile)(process.execPath, ['scripts/mutants.mjs', ...options], { env });
  const { stdout, stderr } = await run.catch((error: unknown) => error as Awaited<typeof run>);
  return stdout + stderr;
}

test('stand once in their files, and all of them in the document', async () => {
  expect(await mutants('--check')).toMatch(/^[0-9]+ mutants\n$/);
});

test('are killed', { timeout: limitMs }, async () => {
  const told = await mutants(...(all ? [] : ['--sample', String(sampleSize)]));
  process.stdout.write(told);
  const [, killed, tried] = /([0-9]+) of ([0-9]+) mutants killed/.exec(told) ?? [];
  expect(killed, told).toBe(tried);
  expect(Number(tried), told).toBeGreaterThanOrEqual(sampleSize);
});
