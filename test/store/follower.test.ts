/** How often an owner looks again where others change what it looks at. */

import { expect, it } from 'vitest';
import { fail, hasCode } from '../../src/errors.ts';
import { withPen } from '../../src/store/pen.ts';
import { Stage } from '../pool/support/interleaving.ts';

it('a look that found no rest in thousands of looks of its own is not made thousands of times', () => {
  const stage = new Stage();
  const { store } = stage.writer();
  const other = stage.another().store;
  let looks = 0;
  const look = (): never => {
    looks++;
    withPen(other, () => other.follower.announce());
    return fail('pool_busy', 'never still');
  };
  let failure: unknown;
  try {
    store.follower.settled(look);
  } catch (error) {
    failure = error;
  }
  expect(hasCode(failure, 'pool_busy')).toBe(true);
  // More than once: it may have looked at what was out of date.
  expect(looks).toBeGreaterThan(1);
  expect(looks).toBeLessThan(20);
});
