/** Stochastic tests: the seed is printed, and taken back from CENOTE_SEED. */

import { fc } from '../../support/properties.ts';

const seed = Number(process.env['CENOTE_SEED'] ?? Date.now() % 2 ** 31) | 0;
const factor = process.env['CI'] === 'true' ? 5 : 1;

export function parameters(numRuns: number): { seed: number; numRuns: number; endOnFailure: true } {
  console.log(`CENOTE_SEED=${seed}`);
  return { seed, numRuns: numRuns * factor, endOnFailure: true };
}

const defaultRuns = 3000;

export function fuzz<A, B>(
  a: fc.Arbitrary<A>,
  b: fc.Arbitrary<B>,
  property: (a: A, b: B) => void,
): void {
  fc.assert(fc.property(a, b, property), parameters(defaultRuns));
}
