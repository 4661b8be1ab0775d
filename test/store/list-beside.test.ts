/** A list, and a scan, while another owner begins to let the index grow, and goes on with it as soon as whoever looks has taken that over. */

import assert from 'node:assert/strict';
import { afterEach, describe, it, vi } from 'vitest';
import { decodeUtf8 } from '../../src/base/utf8.ts';
import type { Pool } from '../../src/pool/api.ts';
import { partsOf, setExpiry } from '../../src/store/contexts.ts';
import { listContexts } from '../../src/store/list.ts';
import { withPen } from '../../src/store/pen.ts';
import { scanContexts } from '../../src/store/scan.ts';
import type { Store } from '../../src/store/store.ts';
import { again, Stage } from '../pool/support/interleaving.ts';
import { filled } from '../pool/support/pools.ts';
import { accessesOf, disarm, interrupt } from '../support/instrumented-words.ts';
import type { OwnedPool } from '../support/owned-memory.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Contexts that the first table takes. */
const most = 192;
/** So many changes move three quarters of it: the end of a growth would be told to all, who look at everything again. */
const moves = 6;
/** Accesses in which the second look begins, and comes to the parts of the first context. */
const soon = 150;
/** Accesses in which it takes over that the index has begun to grow. */
const later = 150;

afterEach(disarm);

const looks: readonly (readonly [name: string, look: (store: Store) => readonly Uint8Array[]])[] = [
  ['list', (store) => listContexts(store, Buffer.of(), undefined, most).map(({ id }) => id)],
  ['scan', (store) => scanContexts(store, 0, most).ids],
];

/** The table of contexts is full; that of parts has grown before. */
function crowd(of: Pool): void {
  for (let i = 0; i < 10; i++) of.put('b', `q-${i}`, filled(20, i));
  for (let i = 0; i < 10; i++) of.put(`d-${i}`, 'p', filled(20, i));
}

interface Two {
  readonly one: OwnedPool;
  readonly other: OwnedPool;
  /** As they are in the table. The time of the first one is over: whether it has another part is seen in the list of its parts only. */
  readonly ids: readonly string[];
}

function two(stage: Stage): Two {
  const one = stage.writer();
  const { store } = one;
  const { ids } = one.pool.scan(0, most);
  withPen(store, () => setExpiry(store, partsOf(store, ids[0] as string), 1));
  return { one, other: stage.another(), ids };
}

describe('while another owner lets the index grow', () => {
  const stage = new Stage(most - 12, crowd);

  it.each(looks)('%s misses no context that is there all the while', (_, look) => {
    const settled = ({ store }: OwnedPool): readonly Uint8Array[] =>
      store.follower.settled(() => look(store));
    const { one: alone } = two(stage);
    const first = accessesOf(() => settled(alone));
    for (let k = first; k < first + soon; k++) {
      const { one, other, ids } = two(stage);
      const goOn = (): void => ids.slice(-moves).forEach((id) => other.pool.delete(id));
      const begin = (): void => {
        other.pool.put(ids[0] as string, 'new', filled(50, 9));
        interrupt(k + later, goOn);
      };
      again.begin(other.pool, () => interrupt(k, begin));
      const seen = new Set(settled(one).map(decodeUtf8));
      disarm();
      const missed = ids.slice(1, -moves).filter((id) => !seen.has(id));
      assert.deepEqual(missed, [], `access ${k}, the second look began at ${first}`);
    }
  });
});
