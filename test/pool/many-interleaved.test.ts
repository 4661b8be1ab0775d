/**
 * Two owners change one pool: between any two memory accesses of one, the other does something as a whole. What comes of it is what the two would
 * have made one after the other. Where the one has the pen, the other is told that the pool is busy, and does it afterwards.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { leakedBlocks } from '../support/owned-memory.ts';
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

describe.each(ones)('while one owner %s', (...one) => {
  it.each(others)('another %s', (...other) => {
    const stage = new Stage();
    const right = [inTurn(stage, one, other, true), inTurn(stage, other, one, false)];
    const first = stage.writer();
    stage.another();
    interrupt(Infinity, () => undefined);
    one[1](first.pool);
    const accesses = accessCount();
    disarm();
    let between = 0;
    let count = 0;
    for (const k of points(accesses, pointsMax)) {
      const { pool, store } = stage.writer();
      const neighbour = stage.another();
      let isDone = false;
      interrupt(k, () => (isDone = unlessBusy(() => other[1](neighbour.pool))));
      one[1](pool);
      disarm();
      if (isDone) between++;
      else other[1](neighbour.pool);
      const seen = told(pool);
      assert(right.includes(seen), `access ${k} of ${accesses}: ${seen}\n${right.join('\n')}`);
      assert.equal(told(neighbour.pool), seen, `access ${k} of ${accesses}`);
      assert.deepEqual(pool.check().errors, [], `access ${k} of ${accesses}`);
      assert.deepEqual(neighbour.pool.check().errors, []);
      assert.deepEqual(leakedBlocks(store), []);
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
    const counted = stage.writer();
    stage.another();
    interrupt(Infinity, () => undefined);
    one[1](counted.pool);
    const accesses = accessCount();
    disarm();
    let between = 0;
    for (let k = 1; k <= accesses; k++) {
      const { pool, store } = stage.writer();
      const neighbour = stage.another();
      let isDone = false;
      interrupt(k, () => (isDone = unlessBusy(() => other[1](neighbour.pool))));
      one[1](pool);
      disarm();
      if (isDone) between++;
      else other[1](neighbour.pool);
      const seen = told(pool);
      assert(right.includes(seen), `access ${k} of ${accesses}: ${seen.length}`);
      assert.deepEqual(pool.check().errors, [], `access ${k} of ${accesses}`);
      assert.deepEqual(leakedBlocks(store), []);
    }
    covered.push(`  appends to a large part · ${other[0]}: ${accesses}, ${between} in between`);
  });
});

describe('an owner that evicts', () => {
  /** Fills the pool until something goes. */
  const evict = (of: Pool): void => {
    for (let i = 0; i < 8; i++) of.put(`large-${i}`, 'p', filled(mib / 2, i));
  };

  it.each(ones)('while another %s leaves a sound pool', (name, change) => {
    const stage = new Stage();
    const counted = stage.writer();
    stage.another();
    interrupt(Infinity, () => undefined);
    change(counted.pool);
    const accesses = accessCount();
    disarm();
    for (const k of points(accesses, pointsMax)) {
      const { pool, store } = stage.writer();
      const neighbour = stage.another();
      let isDone = false;
      interrupt(k, () => (isDone = unlessBusy(() => evict(neighbour.pool))));
      change(pool);
      disarm();
      if (!isDone) evict(neighbour.pool);
      assert.deepEqual(pool.check().errors, [], `${name}, access ${k} of ${accesses}`);
      assert.equal(told(neighbour.pool), told(pool));
      assert.deepEqual(leakedBlocks(store), []);
    }
  });
});
