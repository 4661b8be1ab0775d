/** Parameters of the properties of servers. */

import { fc } from '../../support/properties.ts';
import { rounds, seed } from '../../support/seed.ts';

/** How many times as many with CI=true. */
const factor = 5;

export function parameters(numRuns: number): { seed: number; numRuns: number; endOnFailure: true } {
  return { seed: seed(), numRuns: rounds(numRuns, numRuns * factor), endOnFailure: true };
}

const defaultRuns = 3000;

export function fuzz<A, B>(
  a: fc.Arbitrary<A>,
  b: fc.Arbitrary<B>,
  property: (a: A, b: B) => void,
): void {
  fc.assert(fc.property(a, b, property), parameters(defaultRuns));
}
