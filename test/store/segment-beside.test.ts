/** A look at a pool of which another owner makes use beyond the segments that there were: what is new lies in one that whoever looks has not seen yet. */

import assert from 'node:assert/strict';
import { afterEach, describe, it, vi } from 'vitest';
import { kinds } from '../../src/alloc/kind.ts';
import type { Pool } from '../../src/pool/api.ts';
import { copyNamed } from '../../src/store/copy.ts';
import type { Store } from '../../src/store/store.ts';
import { points, Stage } from '../pool/support/interleaving.ts';
import { filled, mib } from '../pool/support/pools.ts';
import { accessesOf, disarm, interrupt } from '../support/instrumented-words.ts';
import type { OwnedPool } from '../support/owned-memory.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Interruptions per look with CI=true. */
const pointsMax = 500;

afterEach(disarm);

const sizes = { capacityBytes: 4 * mib, maxCapacityBytes: 8 * mib, segmentBytes: 4 * mib };

interface Two {
  readonly one: OwnedPool;
  /** What it writes from now on lies in a segment that is not there yet, but for entries. */
  readonly other: OwnedPool;
}

function two(stage: Stage): Two {
  const one = stage.writer();
  const other = stage.another();
  takeAll(other.store);
  other.pool.setCapacity(sizes.maxCapacityBytes);
  one.store.follower.catchUp();
  return { one, other };
}

function takeAll({ allocator }: Store): void {
  for (let sizeBytes = allocator.maxAllocationBytes; sizeBytes >= 64; sizeBytes >>= 1) {
    for (let kind = 0; kind < kinds.length; kind++) {
      while (allocator.allocate(kind, sizeBytes) !== 0);
    }
  }
}

const writes: readonly (readonly [name: string, write: (of: Pool) => unknown])[] = [
  ['tags a part', (of) => of.put('a', 'p', filled(900, 9), { tags: ['new', 'u'] })],
  ['adds a part with a long name', (of) => of.put('a', 'n'.repeat(200), filled(50, 9))],
];

const looks: readonly (readonly [name: string, look: (of: OwnedPool) => unknown])[] = [
  ['describe', ({ pool }) => pool.describe('a', 'p')],
  ['context', ({ pool }) => pool.context('a')],
  ['list', ({ pool }) => pool.list()],
  ['scan', ({ pool }) => pool.scan(0, 100)],
  ['has', ({ pool }) => pool.has('a')],
  ['a copy', ({ store }) => Buffer.from(bytesOf(store)).toString('hex')],
];

/** As an inspection gets a part. */
function bytesOf(store: Store): Uint8Array {
  const data = copyNamed(store, 'a', 'p')?.data as Uint8Array;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

describe.each(writes)('while another owner adds a segment and %s', (_, write) => {
  const stage = new Stage(40, undefined, sizes);

  it.each(looks)('%s sees the state before or after', (_name, look) => {
    const told = (of: OwnedPool): string => JSON.stringify(look(of));
    const first = two(stage);
    const states = [told(first.one)];
    const accesses = accessesOf(() => told(first.one));
    write(first.other.pool);
    states.push(told(first.one));
    for (const k of points(accesses, pointsMax)) {
      const { one, other } = two(stage);
      interrupt(k, () => write(other.pool));
      const seen = told(one);
      disarm();
      const when = `access ${k} of ${accesses}`;
      assert(states.includes(seen), `${when}: ${seen}`);
      assert.equal(other.store.region.segments.length, 2, when);
    }
  });
});
