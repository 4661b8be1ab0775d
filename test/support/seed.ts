/** Seeds and round counts of stochastic tests: printed, and taken back through CENOTE_SEED. */

import { expect } from 'vitest';

let printed: number | undefined;

/**
 * The seed of this test file: a 31-bit number from CENOTE_SEED, or a random one. Printed once per file,
 * so that a failure can be replayed with `CENOTE_SEED=… npx vitest run FILE`.
 */
export function seed(): number {
  if (printed !== undefined) return printed;
  const given = process.env['CENOTE_SEED'];
  const value = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) {
    throw new Error(`CENOTE_SEED must be an integer from 0 to 2147483647, not ${given}`);
  }
  printed = value;
  const file = expect.getState().testPath?.replace(`${process.cwd()}/`, '') ?? 'unknown file';
  process.stdout.write(`seed of ${file}: CENOTE_SEED=${value}\n`);
  return value;
}

/** How often a soak run repeats what a CI run does. */
const soakFactor = 25;

/** Rounds of a stochastic test: `normal` on a developer's machine, `ci` with CI=true, many more with CENOTE_SOAK=1. */
export function rounds(normal: number, ci: number): number {
  if (process.env['CENOTE_SOAK'] === '1') return ci * soakFactor;
  return process.env['CI'] === 'true' ? ci : normal;
}
