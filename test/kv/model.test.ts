/**
 * Random sequences of all that a cache and its offload can do, beside a naive oracle and an engine that writes real content: every block number is
 * as predicted, no block is lost, owned twice or freed while in use, and what is found is what would have been computed.
 */

import { describe, test } from 'vitest';
import { rounds, seed } from '../support/seed.ts';
import { anyDeed, World } from './world.ts';
import { fc } from '../support/properties.ts';

const lives: [name: string, windowTokens: number][] = [
  ['looking back to the first token', 0],
  ['a window of one block', 5],
  ['a window that ends within blocks', 11],
];

describe.each(lives)('%s:', (_, windowTokens) => {
  test('no block is lost, owned twice or freed while in use, and all is as the oracle says', () => {
    const property = fc.property(fc.array(anyDeed, { maxLength: 120, size: 'max' }), (all) => {
      const world = new World(windowTokens);
      for (const each of all) world.perform(each);
      world.finish();
    });
    fc.assert(property, { seed: seed(), numRuns: rounds(200, 2000) });
  });
});
