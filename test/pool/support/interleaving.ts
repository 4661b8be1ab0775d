/** Two owners of one pool in one thread: while one is at work, the other does something whole between two of its memory accesses. */

import assert from 'node:assert/strict';
import type { Pool } from '../../../src/pool/api.ts';
import { hasCode } from '../../../src/errors.ts';
import {
  abandon,
  anotherPool,
  copyMemory,
  newMemory,
  type OwnedPool,
  ownPool,
  ownRegion,
  restoreMemory,
  type SharedHandle,
  stillOptions,
} from '../../support/owned-memory.ts';
import { interrupt } from '../../support/instrumented-words.ts';
import { pointsOf } from '../../support/points.ts';
import { filled, mib } from './pools.ts';

const ci = process.env['CI'] === 'true';
/** Interruptions per operation in a normal run. */
const most = 25;

// Who is interrupted cannot go on before the interruption ends: waiting for him makes no sense.
const options = { ...stillOptions, seed: 5 };

const choices = { zeroKinds: 0, lockWaitMs: 0 };

/** Runs `change` right now, or says that somebody who has been interrupted is at work. */
export function unlessBusy(change: () => unknown): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (hasCode(error, 'pool_busy')) return false;
    throw error;
  }
}

/** How a look goes that is to be interrupted. */
export interface Way {
  /** The last access of the look at which `then` cannot interrupt any more. */
  readonly from: number;
  /** Sets off what interrupts the look that comes next: `then` does, with accesses counted from the beginning of the look. */
  begin(of: Pool, then: () => void): void;
}

/** One look, at a pool that stands still but for what interrupts it. */
export const once: Way = { from: 0, begin: (_, then) => then() };

/** Behind the loads by which a look notes what moment it is. */
const afterMoment = 6;

/** A look that finds the pool changed looks again with other means: it is these that are to be interrupted here. */
export const again: Way = {
  from: afterMoment,
  begin(of, then) {
    interrupt(afterMoment, () => {
      of.unpin('b');
      then();
    });
  },
};

/** Contexts of one part beside those that are changed: the first chunk of entries is full but for one … */
const few = 16;
/** … and so is the first table of contexts until it grows … */
const crowd = 188;
/** … and here it has begun to. */
const more = 189;

function fill(of: Pool, others: number): void {
  of.put('a', 'p', filled(1000, 1), { tags: ['t'] });
  of.put('a', 'q', filled(10, 2), { tags: ['t', 'u'] });
  of.put('a', 'r'.repeat(200), filled(300, 3));
  of.put('b', 'p', filled(100, 4));
  for (let i = 0; i < others; i++) of.put(`c-${i}`, 'p', filled(20, i));
}

/** Puts a part below another that goes, and moves it there. */
export function putAndMove(of: Pool): void {
  of.put('gap', 'p', filled(20_000, 1));
  of.put('a', 'p', filled(9000, 9));
  of.delete('gap');
  of.compact();
}

/** Puts other bytes wherever memory of that size is free. */
export function reuse(of: Pool): void {
  for (const sizeBytes of [20, 100, 900, 1000, 5000, 9000]) {
    for (let i = 0; i < 12; i++) of.put(`new-${sizeBytes}-${i}`, 'p', filled(sizeBytes, 0xee));
  }
}

/** What a writer does to the part `p` of the context `a`, and around it. */
export const writes: readonly [name: string, write: (of: Pool) => unknown, others?: number][] = [
  ['replaces the part', (of) => of.put('a', 'p', filled(900, 9))],
  ['replaces it twice', (of) => [9, 10].forEach((each) => of.put('a', 'p', filled(900, each)))],
  ['appends in place', (of) => of.append('a', 'p', filled(20, 9))],
  ['appends twice', (of) => [9, 10].forEach((each) => of.append('a', 'p', filled(1, each)))],
  ['appends into a larger block', (of) => of.append('a', 'p', filled(5000, 9))],
  ['deletes the part', (of) => of.delete('a', 'p')],
  ['deletes the head of the context', (of) => of.delete('a', 'r'.repeat(200))],
  ['deletes the context', (of) => of.delete('a')],
  [
    'deletes the context and makes it anew',
    (of) => {
      of.delete('a');
      of.put('a', 'q', filled(10, 9));
      of.put('a', 'p', filled(10, 9));
    },
  ],
  [
    'lets entries take the place of others',
    (of) => {
      of.delete('a', 'p');
      of.put('b', 'p', filled(100, 9));
      of.put('a', 'q', filled(10, 9));
      of.put('a', 'p', filled(1000, 9));
    },
  ],
  ['puts it elsewhere and moves it', putAndMove],
  ['adds a part', (of) => of.put('a', 'new', filled(50, 9))],
  ['adds entries', (of) => ['x', 'y', 'z'].forEach((part) => of.put('a', part, filled(9, 9)))],
  ['begins to grow the index', (of) => of.put('a', 'new', filled(50, 9)), crowd],
  [
    'grows the index',
    (of) => {
      for (let i = 0; i < 12; i++) of.put(`d-${i}`, 'p', filled(50, i));
      of.put('a', 'p', filled(900, 9));
    },
    crowd,
  ],
  [
    // Without anything that would make a reader look at the whole index again.
    'moves the part to a larger index',
    (of) => {
      for (let i = 0; i < 6; i++) of.delete(`c-${i}`);
    },
    more,
  ],
];

/** A pool that can be put back to how it began. */
export class Stage {
  readonly #memory: SharedHandle;
  readonly #start: readonly Uint8Array[];

  /** @param others contexts beside those that are changed @param extra what else there is */
  constructor(
    others: number = few,
    extra?: (of: Pool) => unknown,
    memory: Parameters<typeof newMemory>[0] = { capacityBytes: 4 * mib },
  ) {
    this.#memory = newMemory(memory);
    const { pool } = ownPool(ownRegion(this.#memory), options);
    fill(pool, others);
    extra?.(pool);
    pool.close().catch((error: unknown) => assert.fail(String(error)));
    this.#start = copyMemory(this.#memory);
  }

  /** A writer of the pool as it was in the beginning. */
  writer(): OwnedPool {
    restoreMemory(this.#memory, this.#start);
    return this.recovered();
  }

  /** The next writer, after the last one closed or died. */
  recovered(): OwnedPool {
    return ownPool(ownRegion(this.#memory), options, choices);
  }

  join(): Pool {
    return this.another().pool;
  }

  /** Another owner of the pool as it is. */
  another(): OwnedPool {
    return anotherPool(this.#memory, options, choices);
  }

  /** The owner in slot 0 has died. */
  firstDies(): void {
    abandon(this.#memory, 0);
  }
}

/** Some of the accesses 1…`accesses`, all when there are few: with CI=true up to `ciMost`. */
export function points(accesses: number, ciMost: number): Generator<number> {
  return pointsOf(accesses, ci ? ciMost : most);
}
