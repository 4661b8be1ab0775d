/** What is left out when an operation is killed at every access comes to the same: not a byte of memory is another than at the access before. */

import assert from 'node:assert/strict';
import { expect, it, vi } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { copyMemory } from '../support/owned-memory.ts';
import { rounds, seed } from '../support/seed.ts';
import { Trial } from './harness.ts';
import { scenarios } from './scenarios.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** One whose means change memory beside its accesses, and one that only writes. */
it.each(['trim, and put into what was given back', 'put, replacing with a long key'])(
  '%s',
  (name) => {
    const scenario = scenarios.find((each) => each.name === name);
    assert(scenario !== undefined);
    const trial = new Trial(scenario);
    const most = Math.min(rounds(150, Infinity), trial.accesses - 1);
    const first = 1 + new Random(seed()).below(trial.accesses - most);
    const differing: number[] = [];
    trial.crashAt(first);
    let before = copyMemory(trial.memory);
    for (let k = first + 1; k <= first + most; k++) {
      trial.crashAt(k);
      const now = copyMemory(trial.memory);
      if (now.some((bytes, n) => Buffer.compare(bytes, before[n] as Uint8Array) !== 0))
        differing.push(k);
      before = now;
    }
    const moments = trial.moments().filter((k) => k > first && k <= first + most);
    expect(moments).toEqual(differing);
  },
);
