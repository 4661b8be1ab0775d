/** Seeds and round counts of stochastic tests: printed, and taken back through CENOTE_SEED. */

import { createHash } from 'node:crypto';
import { expect } from 'vitest';

/** Of the files that this process has run. */
const printed = new Map<string, number>();

/**
 * The seed of this test file: a 31-bit number from CENOTE_SEED; without it one that follows from the file and CENOTE_SEEDS_OF, where
 * that is set (see scripts/vitest-setup.mjs), or else a random one. Printed once per file, so that a failure can be replayed with
 * `CENOTE_SEED=… npx vitest run FILE`.
 */
export function seed(): number {
  const file = expect.getState().testPath?.replace(`${process.cwd()}/`, '') ?? 'unknown file';
  const known = printed.get(file);
  if (known !== undefined) return known;
  const chosen = chosenSeed(process.env, file);
  printed.set(file, chosen);
  process.stdout.write(`seed of ${file}: CENOTE_SEED=${chosen}\n`);
  return chosen;
}

export function chosenSeed(env: NodeJS.ProcessEnv, file: string): number {
  const { CENOTE_SEED: given, CENOTE_SEEDS_OF: source } = env;
  if (given === undefined) {
    if (source === undefined) return Math.floor(Math.random() * 2 ** 31);
    return createHash('sha256').update(`${source} ${file}`).digest().readUInt32LE(0) >>> 1;
  }
  const value = Number(given);
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) {
    throw new Error(`CENOTE_SEED must be an integer from 0 to 2147483647, not ${given}`);
  }
  return value;
}

/** How often a soak run repeats what a CI run does. */
const soakFactor = 25;

/** Rounds of a stochastic test: `normal` on a developer's machine, `ci` with CI=true, many more with CENOTE_SOAK=1. */
export function rounds(normal: number, ci: number): number {
  if (process.env['CENOTE_SOAK'] === '1') return ci * soakFactor;
  return process.env['CI'] === 'true' ? ci : normal;
}
