/** A pool is checked while others, who need no pen for it, take memory and give it back: what is wrong is found in every look. */

import assert from 'node:assert/strict';
import { afterEach, describe, it, vi } from 'vitest';
import { kindOf } from '../../src/alloc/kind.ts';
import type { Draft } from '../../src/pool/api.ts';
import { Stage } from '../pool/support/interleaving.ts';
import { mib } from '../pool/support/pools.ts';
import { accessesOf, disarm, interruptApart, sameUntil } from '../support/instrumented-words.ts';
import type { OwnedPool } from '../support/owned-memory.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Goes back at once, and merges with what is free before it: shorter ones wait for their owner. */
const largeBytes: number = 2 * mib;
/** Any but metadata, which lies at the other end of a segment. */
const dataKind: number = kindOf('tokens');
const smallBytes: number = 300 * 2 ** 10;

afterEach(disarm);

/** One checks, the other holds the draft of a part. */
interface Two {
  readonly one: OwnedPool;
  readonly other: OwnedPool;
  readonly large: Draft;
}

/** A block is kept and nothing leads to it: behind all that moves, where a look that is cut short does not come. */
function two(stage: Stage): Two {
  const one = stage.writer();
  const other = stage.another();
  const { allocator } = one.store;
  const leaked = allocator.allocate(dataKind, smallBytes);
  allocator.keep(leaked);
  return { one, other, large: other.pool.beginPut('draft', 'p', largeBytes) };
}

const meanwhile: readonly (readonly [name: string, change: (of: Two) => unknown])[] = [
  ['gives a large run back', ({ large }) => large.abort()],
  ['takes a large run', ({ other }) => other.pool.beginPut('draft', 'q', smallBytes)],
  [
    'takes a run where another was',
    ({ other, large }) => {
      large.abort();
      other.pool.beginPut('draft', 'q', largeBytes - smallBytes);
    },
  ],
];

describe('a check while another owner', () => {
  it.each(meanwhile)('%s finds what is wrong, and nothing else', (_, change) => {
    const stage = new Stage();
    const { one: alone } = two(stage);
    const { errors } = alone.pool.check();
    assert.equal(errors.length, 1);
    const accesses = accessesOf(() => alone.pool.check());
    for (let k = 1; k <= accesses; k = Math.max(k, sameUntil()) + 1) {
      const met = two(stage);
      interruptApart(k, () => change(met));
      const found = met.one.pool.check();
      disarm();
      assert.deepEqual(found.errors, errors, `access ${k} of ${accesses}`);
    }
  });
});
