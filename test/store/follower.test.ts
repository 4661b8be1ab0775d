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

const endings: readonly (readonly [name: string, end: (looks: number) => number])[] = [
  ['finds something', (looks) => looks],
  [
    'fails',
    (looks) => {
      if (looks < 3) fail('pool_corrupt', 'what was looked at is something else by now');
      return looks;
    },
  ],
];

it.each(endings)(
  'a look that takes over itself what others change, and %s, is made again',
  (_, end) => {
    const stage = new Stage();
    const { store } = stage.writer();
    const other = stage.another().store;
    let looks = 0;
    const seen = store.follower.settled(() => {
      // The first look is of a moment; the second is one at what moves.
      if (++looks < 3) withPen(other, () => other.follower.announce());
      store.follower.catchUp();
      return end(looks);
    });
    expect(seen).toBe(3);
  },
);
