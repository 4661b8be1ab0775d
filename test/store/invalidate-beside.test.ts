/** What carries a tag is met in memory or below it, whatever comes up between the looks at both. */

import assert from 'node:assert/strict';
import { it, vi } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { invalidate } from '../../src/store/contexts.ts';
import { encodeTag } from '../../src/store/tags.ts';
import { Stage } from '../pool/support/interleaving.ts';
import { accessesOf, disarm, interruptApart, sameUntil } from '../support/instrumented-words.ts';
import type { OwnedPool } from '../support/owned-memory.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** What another brings up from below; undefined: this one has the pen. */
function bringUp({ pool }: OwnedPool): number | undefined {
  try {
    return pool.put('a', 'p', 'from below', { tags: ['t'] });
  } catch (error) {
    if (hasCode(error, 'pool_busy')) return undefined;
    throw error;
  }
}

it('a part that another brings up before the lower tier is asked is invalidated in memory', () => {
  const stage = new Stage(40);
  const clear = ({ store }: OwnedPool, below: () => number): number =>
    invalidate(store, encodeTag(store, 't'), below);
  const alone = stage.writer();
  const accesses = accessesOf(() => clear(alone, () => 0));
  let brought = 0;
  for (let k = 1; k <= accesses; k = Math.max(k, sameUntil()) + 1) {
    const one = stage.writer();
    const other = stage.another();
    let isAsked = false;
    let version: number | undefined;
    interruptApart(k, () => (version = isAsked ? undefined : bringUp(other)));
    clear(one, () => {
      assert(one.store.pen.isHeld, 'what is below may come up before memory is changed again');
      isAsked = true;
      return 0;
    });
    disarm();
    if (version === undefined) continue;
    brought++;
    assert.equal(one.pool.where('a', 'p'), undefined, `access ${k} of ${accesses}`);
  }
  assert(brought > 0, 'nothing was brought up between');
});
