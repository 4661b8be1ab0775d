/** A stretch is cleared while others, who need no pen for it, take memory and give it back: page tables move under whoever looks at them, and there are more segments than before. */

import assert from 'node:assert/strict';
import { describe, it, vi } from 'vitest';
import type { Draft } from '../../src/pool/api.ts';
import { withPen } from '../../src/store/pen.ts';
import { evictWindows } from '../../src/store/window.ts';
import { Stage } from '../pool/support/interleaving.ts';
import { mib } from '../pool/support/pools.ts';
import { accessesOf, disarm, interruptApart, sameUntil } from '../support/instrumented-words.ts';
import { leakedBlocks, type OwnedPool } from '../support/owned-memory.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const windowBytes: number = 300 * 2 ** 10;
const largeBytes: number = 3 * mib;
const sizes = { capacityBytes: 12 * mib, segmentBytes: 4 * mib };

/** One clears, the other holds the draft of a part. */
interface Two {
  readonly one: OwnedPool;
  readonly other: OwnedPool;
  readonly draft: Draft;
}

function two(stage: Stage): Two {
  const one = stage.writer();
  const other = stage.another();
  const draft = other.pool.beginPut('draft', 'p', largeBytes);
  one.store.region.refresh();
  return { one, other, draft };
}

const clear = ({ store }: OwnedPool): boolean =>
  withPen(store, () => evictWindows(store, windowBytes));

describe('while one owner clears a stretch', () => {
  const meanwhile: readonly (readonly [name: string, change: (of: Two) => unknown])[] = [
    ['gives a large run back', ({ draft }) => draft.abort()],
    ['takes a large run', ({ other }) => other.pool.beginPut('draft', 'q', windowBytes)],
    ['adds a segment', ({ other }) => other.pool.beginPut('draft', 'q', largeBytes)],
    [
      'takes a run where another was',
      ({ other, draft }) => {
        draft.abort();
        other.pool.beginPut('draft', 'q', largeBytes - windowBytes);
      },
    ],
  ];

  it.each(meanwhile)('another %s', (_, change) => {
    const stage = new Stage(40, undefined, sizes);
    const { one: alone } = two(stage);
    const accesses = accessesOf(() => clear(alone));
    let looks = 0;
    for (let k = 1; k <= accesses; k = Math.max(k, sameUntil()) + 1) {
      const met = two(stage);
      interruptApart(k, () => change(met));
      clear(met.one);
      disarm();
      looks++;
      const when = `access ${k} of ${accesses}`;
      assert.deepEqual(met.one.pool.check().errors, [], when);
      for (const draft of met.other.store.drafts) draft.abort();
      assert.deepEqual(leakedBlocks(met.one.store), [], when);
    }
    assert(looks > 1, `${looks} interruption`);
  });
});
