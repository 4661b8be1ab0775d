/** Two owners of one pool in one thread: while one is at work, the other does something whole between two of its memory accesses. */

import assert from 'node:assert/strict';
import { Random } from '../../../src/base/random.ts';
import { attachSharedRegion } from '../../../src/memory/shared.ts';
import type { Pool } from '../../../src/pool/api.ts';
import { StorePool } from '../../../src/pool/pool.ts';
import { attachStore } from '../../../src/store/open.ts';
import {
  copyMemory,
  newMemory,
  type OwnedPool,
  ownPool,
  ownRegion,
  restoreMemory,
} from '../../support/owned-memory.ts';
import { seed } from '../../support/seed.ts';
import { filled, mib } from './pools.ts';

/** Interruptions per operation: with CI=true all of them but for the longest, a list of a growing index. */
const pointsMax = process.env['CI'] === 'true' ? 2000 : 25;

const options = {
  clock: { nowMs: () => 1_700_000_000_000 },
  seed: 5,
  checksums: true,
  hooks: {},
};

/** Twenty entries of the first chunk's twenty-one; `crowd` is as many more as bring the index to its first growth. */
function fill(of: Pool, crowd: boolean): void {
  of.put('a', 'p', filled(1000, 1), { tags: ['t'] });
  of.put('a', 'q', filled(10, 2), { tags: ['t', 'u'] });
  of.put('a', 'r'.repeat(200), filled(300, 3));
  of.put('b', 'p', filled(100, 4));
  for (let i = 0; i < (crowd ? 188 : 16); i++) of.put(`c-${i}`, 'p', filled(20, i));
}

/** A pool that can be put back to how it began. */
export class Stage {
  readonly #memory = newMemory({ capacityBytes: 4 * mib });
  readonly #start: readonly Uint8Array[];

  constructor(crowd: boolean) {
    const { pool } = ownPool(ownRegion(this.#memory), options);
    fill(pool, crowd);
    pool.close().catch((error: unknown) => assert.fail(String(error)));
    this.#start = copyMemory(this.#memory);
  }

  /** A writer of the pool as it was in the beginning. */
  writer(): OwnedPool {
    restoreMemory(this.#memory, this.#start);
    return ownPool(ownRegion(this.#memory), options);
  }

  join(): Pool {
    return new StorePool(attachStore(attachSharedRegion(this.#memory), options), undefined);
  }
}

/** Some of the accesses 1…`accesses`, all when there are few. */
export function* points(accesses: number): Generator<number> {
  const stride = Math.max(1, Math.ceil(accesses / pointsMax));
  for (let k = 1 + new Random(seed()).below(stride); k <= accesses; k += stride) yield k;
}
