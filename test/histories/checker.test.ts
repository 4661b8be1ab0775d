/** The checker of histories, held against histories whose verdict is known. */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { rounds, seed } from '../support/seed.ts';
import { isLinearisable } from './support/brute-force.ts';
import { checkPart } from './support/checker.ts';
import type { Action, Operation } from './support/history.ts';
import { changedHistory, goodHistory } from './support/made-up.ts';

type Row = readonly [client: number, calledNs: number, returnedNs: number, action: Action];

function historyOf(rows: readonly Row[]): Operation[] {
  return rows.map(([client, calledNs, returnedNs, action]) => ({
    client,
    part: 'chat/tokens',
    calledNs,
    returnedNs,
    action,
  }));
}

const put = (block: number, version: number | undefined): Action => ({
  name: 'put',
  block,
  version,
});
const append = (block: number, version: number | undefined): Action => ({
  name: 'append',
  block,
  version,
});
const get = (version: number, ...blocks: number[]): Action => ({
  name: 'get',
  seen: { version, blocks },
});
const miss: Action = { name: 'get', seen: undefined };
const remove = (removed: number | undefined): Action => ({ name: 'delete', removed });
const evict = (version: number): Action => ({ name: 'evict', version });
const never = Infinity;

/** Each is wrong in one way that a store can be wrong in. */
const bad: Record<string, readonly Row[]> = {
  'a stale read: what was replaced before the read began': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, put(2, 11)],
    [2, 4, 5, get(10, 1)],
  ],
  'two readers that see a put in different orders': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 9, put(2, 11)],
    [2, 3, 4, get(11, 2)],
    [3, 5, 6, get(10, 1)],
  ],
  'a lost update: a conditional put that replaces what has changed since': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 5, { name: 'putIf', block: 2, ifVersion: 10, version: 11 }],
    [2, 3, 6, { name: 'putIf', block: 3, ifVersion: 10, version: 12 }],
  ],
  'an update that was refused and is there': [
    [1, 0, 1, put(1, 10)],
    [2, 2, 3, { name: 'putIf', block: 2, ifVersion: 9, version: 'conflict' }],
    [2, 4, 5, get(11, 2)],
  ],
  'an update that was refused though nothing had changed': [
    [1, 0, 1, put(1, 10)],
    [2, 2, 3, { name: 'putIf', block: 2, ifVersion: 10, version: 'conflict' }],
  ],
  'a lost append': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 5, append(2, 11)],
    [2, 3, 6, append(3, 12)],
    [3, 7, 8, get(12, 1, 3)],
  ],
  'a torn append: the version of the longer part, the bytes of the shorter': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 9, append(2, 11)],
    [2, 3, 4, get(11, 1)],
  ],
  'an append that is there twice': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, append(2, 11)],
    [2, 4, 5, get(11, 1, 2, 2)],
  ],
  'appends in another order than they came in': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, append(2, 11)],
    [2, 4, 5, append(3, 12)],
    [3, 6, 7, get(12, 1, 3, 2)],
  ],
  'a resurrected delete': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, remove(1)],
    [2, 4, 5, get(10, 1)],
  ],
  'a resurrected delete below an append': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, remove(1)],
    [1, 4, 5, append(2, 11)],
    [2, 6, 7, get(11, 1, 2)],
  ],
  'a delete that removed what was not there': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, remove(1)],
    [2, 4, 5, remove(1)],
  ],
  'an acknowledged write that is lost': [
    [1, 0, 1, put(1, 10)],
    [2, 2, 3, miss],
  ],
  'a read of what nobody has asked for yet': [
    [2, 0, 1, get(10, 1)],
    [1, 2, 3, put(1, 10)],
  ],
  'a read of what nobody wrote': [
    [1, 0, 1, put(1, 10)],
    [2, 2, 3, get(10, 7)],
  ],
  'a version that is given twice': [
    [1, 0, 1, put(1, 10)],
    [2, 2, 3, put(2, 10)],
  ],
  'a version that falls after a delete': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, remove(1)],
    [1, 4, 5, put(2, 9)],
  ],
  'a part that was evicted and is there': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, evict(10)],
    [2, 4, 5, get(10, 1)],
  ],
  'an eviction of what had been replaced, which took its successor': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, put(2, 11)],
    [1, 4, 5, evict(10)],
    [2, 6, 7, miss],
  ],
  'a write of someone who died that comes and goes': [
    [1, 0, 1, put(1, 10)],
    [1, 2, never, put(2, undefined)],
    [2, 3, 4, get(11, 2)],
    [2, 5, 6, get(10, 1)],
  ],
  'a write of someone who died, seen with two versions': [
    [1, 0, never, put(1, undefined)],
    [2, 1, 2, get(10, 1)],
    [2, 3, 4, get(11, 1)],
  ],
};

/** Each is possible, however odd it looks. */
const good: Record<string, readonly Row[]> = {
  'a read beside a put: the old or the new': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 9, put(2, 11)],
    [2, 3, 4, get(10, 1)],
    [2, 5, 6, get(11, 2)],
  ],
  'a put that has happened long before it returned': [
    [1, 0, 9, put(1, 10)],
    [2, 1, 2, get(10, 1)],
    [2, 3, 4, remove(1)],
    [3, 5, 6, miss],
  ],
  'a write of someone who died that was never done': [
    [1, 0, never, put(1, undefined)],
    [2, 1, 2, miss],
    [2, 3, 4, append(2, 10)],
    [2, 5, 6, get(10, 2)],
  ],
  'a write of someone who died that was done late': [
    [1, 0, never, append(1, undefined)],
    [2, 1, 2, put(2, 10)],
    [2, 3, 4, get(10, 2)],
    [3, 5, 6, get(11, 2, 1)],
  ],
  'a delete of someone who died': [
    [1, 0, 1, put(1, 10)],
    [1, 2, never, remove(undefined)],
    [2, 3, 4, get(10, 1)],
    [2, 5, 6, miss],
  ],
  'two who extend at once': [
    [1, 0, 9, append(1, 10)],
    [2, 0, 9, append(2, 11)],
    [3, 10, 11, get(11, 1, 2)],
  ],
  'a part that went for another and came back': [
    [1, 0, 1, put(1, 10)],
    [1, 2, 3, evict(10)],
    [2, 4, 5, miss],
    [1, 6, 7, put(2, 11)],
    [2, 8, 9, get(11, 2)],
  ],
};

describe('the checker', () => {
  for (const [name, rows] of Object.entries(bad)) {
    it(`refuses ${name}`, () => {
      const history = historyOf(rows);
      expect(checkPart(history).verdict).toBe('not linearisable');
      expect(isLinearisable(history)).toBe(false);
    });
  }

  for (const [name, rows] of Object.entries(good)) {
    it(`takes ${name}`, () => {
      const history = historyOf(rows);
      expect(checkPart(history)).toMatchObject({ verdict: 'linearisable' });
      expect(isLinearisable(history)).toBe(true);
    });
  }

  it('says what cannot have happened', () => {
    const rows = bad['a resurrected delete'] as readonly Row[];
    expect(checkPart(historyOf(rows))).toMatchObject({
      why: expect.stringContaining('cannot have happened: get chat/tokens by 2') as string,
    });
  });

  it('gives up where there is too much to look at, and says so', () => {
    const rows = Array.from({ length: 32 }, (_, i): Row => [i, i, 99, append(i, undefined)]);
    expect(checkPart(historyOf(rows))).toMatchObject({ verdict: 'undecided' });
    const blocks = rows.map((_, i) => i);
    const some = [...rows.slice(0, 12), [40, 50, 60, get(7, ...blocks)] as const];
    expect(checkPart(historyOf(some))).toMatchObject({ verdict: 'undecided' });
  });

  it('takes every history of a sound part', () => {
    const random = new Random(seed());
    for (let round = 0; round < rounds(300, 3000); round++) {
      const history = goodHistory(random, 1 + random.below(120), 1 + random.below(5));
      expect(checkPart(history), `round ${round} of seed ${seed()}`).toMatchObject({
        verdict: 'linearisable',
      });
    }
  });

  it('agrees with a search through every order', () => {
    const random = new Random(seed());
    const verdicts = { good: 0, bad: 0 };
    for (let round = 0; round < rounds(2000, 30_000); round++) {
      const whole = goodHistory(random, 2 + random.below(6), 1 + random.below(4));
      const history = whole.length === 0 ? whole : changedHistory(random, whole);
      const expected = isLinearisable(history);
      const { verdict } = checkPart(history);
      expect(verdict, `round ${round} of seed ${seed()}: ${JSON.stringify(history)}`).toBe(
        expected ? 'linearisable' : 'not linearisable',
      );
      verdicts[expected ? 'good' : 'bad']++;
    }
    expect(Math.min(verdicts.good, verdicts.bad)).toBeGreaterThan(rounds(2000, 30_000) / 10);
  });
});
