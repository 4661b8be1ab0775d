/**
 * Two owners change one pool: between any two memory accesses of one, the other does something as a whole. What comes of it is what the two would
 * have made one after the other. Where the one has the pen, the other is told that the pool is busy, and does it afterwards.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { accessesOf, disarm, interruptApart, sameUntil } from '../support/instrumented-words.ts';
import { leakedBlocks, type OwnedPool } from '../support/owned-memory.ts';
import { points, Stage, unlessBusy } from './support/interleaving.ts';
import { contents, filled, mib } from './support/pools.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

type Change = readonly [name: string, change: (of: Pool) => unknown];

/** What the one does. */
const ones: readonly Change[] = [
  ['puts a part', (of) => of.put('new', 'p', filled(500, 7))],
  ['replaces the part', (of) => of.put('a', 'p', filled(900, 9), { ttlMs: 2 ** 40 })],
  ['replaces a part in place', (of) => of.put('b', 'p', filled(120, 9))],
  ['appends in place', (of) => of.append('a', 'p', filled(20, 8))],
  ['appends into a larger block', (of) => of.append('a', 'p', filled(5000, 8))],
  ['deletes the part', (of) => of.delete('a', 'p')],
  ['deletes the context', (of) => of.delete('a')],
  ['invalidates a tag', (of) => of.invalidate({ tag: 't' })],
  [
    'commits a draft',
    (of) => {
      const draft = of.beginPut('a', 'p', 100);
      draft.write(filled(3000, 5));
      draft.commit();
    },
  ],
];

/** Of this size on what a part holds is copied without the pen. */
const largeBytes: number = 64 * 2 ** 10;

/** What the other does meanwhile. */
const others: readonly Change[] = [
  ['replaces the part', (of) => of.put('a', 'p', filled(700, 4), { tags: ['t', 'v'] })],
  ['replaces it in place', (of) => of.put('b', 'p', filled(110, 3))],
  ['appends to it', (of) => of.append('a', 'p', filled(30, 2))],
  ['deletes its context', (of) => of.delete('a')],
  ['puts the same new part', (of) => of.put('new', 'p', filled(400, 6))],
  [
    'grows the index',
    (of) => {
      for (let i = 0; i < 180; i++) of.put('grown', `p${i}`, filled(1, i));
      of.delete('grown');
    },
  ],
  ['pins and expires it', (of) => [of.pin('a', 'p'), of.expire('a', 5000), of.unpin('a', 'p')]],
  ['compacts and trims', (of) => [of.compact(), of.trim()]],
];

/** Interruptions per pair with CI=true. */
const pointsMax = 300;

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`interrupted at accesses of\n${covered.join('\n')}\n`);
});

/** What both leave when they come one after the other. */
function inTurn(stage: Stage, first: Change, second: Change, firstIsOne: boolean): string {
  const one = stage.writer();
  const other = stage.another();
  first[1]((firstIsOne ? one : other).pool);
  second[1]((firstIsOne ? other : one).pool);
  return told(one.pool);
}

function told(of: Pool): string {
  return JSON.stringify(contents(of));
}

/** How often one owner accesses memory as it makes a change. */
function accessesAlone(stage: Stage, [, change]: Change): number {
  const { pool } = stage.writer();
  stage.another();
  return accessesOf(() => change(pool));
}

interface Met extends OwnedPool {
  readonly neighbour: Pool;
  /** False when the other had to do it afterwards. */
  readonly isBetween: boolean;
  /** The last access before which it would have come to the same: of those at which the other was sent away. */
  readonly until: number;
}

/** One owner makes a change, and another one right before its access `k`. */
function meet(stage: Stage, [, change]: Change, [, other]: Change, k: number): Met {
  const owned = stage.writer();
  const { pool: neighbour } = stage.another();
  let isBetween = false;
  interruptApart(k, () => (isBetween = unlessBusy(() => other(neighbour))));
  change(owned.pool);
  disarm();
  if (!isBetween) other(neighbour);
  return { ...owned, neighbour, isBetween, until: isBetween ? k : sameUntil() };
}

/** The pool is sound for both, and they see the same. @returns what they see */
function expectSame({ pool, store, neighbour }: Met, when: string): string {
  const seen = told(pool);
  assert.equal(told(neighbour), seen, when);
  assert.deepEqual(pool.check().errors, [], when);
  assert.deepEqual(neighbour.check().errors, [], when);
  assert.deepEqual(leakedBlocks(store), [], when);
  return seen;
}

describe.each(ones)('while one owner %s', (...one) => {
  it.each(others)('another %s', (...other) => {
    const stage = new Stage();
    const right = [inTurn(stage, one, other, true), inTurn(stage, other, one, false)];
    const accesses = accessesAlone(stage, one);
    let between = 0;
    let count = 0;
    let until = 0;
    for (const k of points(accesses, pointsMax)) {
      if (k <= until) continue;
      const when = `access ${k} of ${accesses}`;
      const met = meet(stage, one, other, k);
      ({ until } = met);
      if (met.isBetween) between++;
      const seen = expectSame(met, when);
      assert(right.includes(seen), `${when}: ${seen}\n${right.join('\n')}`);
      count++;
    }
    covered.push(`  ${one[0]} · ${other[0]}: ${count} of ${accesses}, ${between} in between`);
  });
});

describe('while one owner appends to a large part', () => {
  const one: Change = ['appends', (of) => of.append('large', 'p', filled(1000, 8))];
  const meanwhile: readonly Change[] = [
    ['appends to it', (of) => of.append('large', 'p', filled(30, 2))],
    ['replaces it', (of) => of.put('large', 'p', filled(largeBytes + 4096, 5))],
    ['deletes it', (of) => of.delete('large')],
    ['pins and expires it', (of) => [of.pin('large'), of.expire('large', 5000)]],
    ['moves it', (of) => of.compact()],
  ];

  it.each(meanwhile)('another %s', (...other) => {
    const stage = new Stage(0, (of) => of.put('large', 'p', filled(largeBytes, 1)));
    const right = [inTurn(stage, one, other, true), inTurn(stage, other, one, false)];
    const accesses = accessesAlone(stage, one);
    let between = 0;
    for (let k = 1, until = 0; k <= accesses; k = until + 1) {
      const when = `access ${k} of ${accesses}`;
      const met = meet(stage, one, other, k);
      ({ until } = met);
      if (met.isBetween) between++;
      const seen = expectSame(met, when);
      assert(right.includes(seen), `${when}: ${seen.length}`);
    }
    covered.push(`  appends to a large part · ${other[0]}: ${accesses}, ${between} in between`);
  });
});

describe('an owner that evicts', () => {
  /** Fills the pool until something goes. */
  const evict: Change = [
    'evicts',
    (of) => {
      for (let i = 0; i < 8; i++) of.put(`large-${i}`, 'p', filled(mib / 2, i));
    },
  ];

  it.each(ones)('while another %s leaves a sound pool', (...one) => {
    const stage = new Stage();
    const accesses = accessesAlone(stage, one);
    let until = 0;
    for (const k of points(accesses, pointsMax)) {
      if (k <= until) continue;
      const met = meet(stage, one, evict, k);
      ({ until } = met);
      expectSame(met, `access ${k} of ${accesses}`);
    }
  });
});
