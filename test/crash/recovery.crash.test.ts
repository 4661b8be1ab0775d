/**
 * Opening a pool, killed at each of its memory accesses: recovery after a crash, the opening of a pool that was closed in order, and
 * the making of a new one. Whatever is left, the next opening finds the same parts.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import { accessesOf } from '../support/instrumented-words.ts';
import {
  copyMemory,
  newMemory,
  ownPool,
  ownRegion,
  restoreMemory,
} from '../support/owned-memory.ts';
import { pointsOf } from '../support/points.ts';
import { granuleBytes, wordsOf } from '../../src/memory/region.ts';
import { tableBytes } from '../../src/store/ref-table.ts';
import { defaultOptions, dies, Trial, visitAccesses } from './harness.ts';
import { scenarios } from './scenarios.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

const ci = process.env['CI'] === 'true';
/** Crashes per recovery. */
const pointsMax = ci ? 150 : 40;
/** Places in the operation, as shares of its accesses, where the first crash comes. */
const firstCrashes = ci ? [0.15, 0.4, 0.6, 0.85] : [0.4, 0.8];

const names = [
  'put, replacing with a long key',
  'put, replacing a secret by another',
  'append that grows the block',
  'delete a context that is leased',
  'put into a full pool',
  'ten puts while the index grows',
  'put that adds a segment',
  'setCapacity that evicts and drops a segment',
  'close with leases and drafts',
];

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`killed at accesses of the recovery after\n${covered.join('\n')}\n`);
});

describe('recovery, killed at every access', () => {
  for (const name of names) {
    it(`after ${name}`, () => {
      const scenario = scenarios.find((each) => each.name === name);
      assert(scenario !== undefined);
      const trial = new Trial(scenario);
      for (const share of firstCrashes) {
        trial.crashAt(Math.ceil(share * trial.accesses));
        const wreck = copyMemory(trial.memory);
        const accesses = trial.accessesIn(() => void trial.open());
        const points = visitAccesses(
          accesses,
          pointsMax,
          (k, nth) => {
            restoreMemory(trial.memory, wreck);
            assert(dies(k, () => void trial.open()) || k === accesses.at(-1));
            trial.verify(nth % 4 === 0);
          },
          `at ${share} of it, and in recovery `,
        );
        covered.push(`  ${name.padEnd(46)} ${points} of ${accesses.at(-1)}`);
      }
    });
  }
});

describe('recovery, killed while it empties the index', () => {
  it('finds every part of a table that was larger than a first one', () => {
    const trial = new Trial({
      name: 'crowd',
      fill: ({ pool }) => {
        for (let i = 0; i < 500; i++)
          pool.put(`crowd-${i}`, 'p', Uint8Array.of(i), { tags: [`${i}`] });
      },
      begin:
        ({ pool }) =>
        () =>
          pool.put('new', 'p', 'new'),
    });
    trial.crashAt(1);
    const wreck = copyMemory(trial.memory);
    const { rootParts, rootContexts, rootTags } = ownRegion(trial.memory).superblock;
    for (const table of [rootParts, rootContexts, rootTags]) {
      const first = firstChange(trial, wreck, table * granuleBytes);
      for (let k = first - 1; k < first + 3; k++) {
        restoreMemory(trial.memory, wreck);
        assert(dies(k, () => void trial.open()));
        trial.verify(true);
      }
    }
  });
});

/** The access to crash at for the table at `byte` to be no more what it was, and just so. */
function firstChange(trial: Trial, wreck: readonly Uint8Array[], byte: number): number {
  restoreMemory(trial.memory, wreck);
  let low = 1;
  let high = accessesOf(() => trial.open());
  while (low < high) {
    const middle = (low + high) >> 1;
    restoreMemory(trial.memory, wreck);
    dies(middle, () => void trial.open());
    const { buffer, byteOffset } = wordsOf(trial.memory.buffers[0] as SharedArrayBuffer);
    const now = new Uint8Array(buffer, byteOffset + byte, tableBytes(9));
    const then = wreck[0]?.subarray(now.byteOffset, now.byteOffset + now.length);
    const same = Buffer.compare(now, then ?? now) === 0;
    if (same) low = middle + 1;
    else high = middle;
  }
  return low;
}

describe('opening, killed at every access', () => {
  it('of a pool that was closed in order', () => {
    const trial = new Trial({
      name: 'reopen',
      fill: ({ pool }) => {
        for (let i = 0; i < 30; i++)
          pool.put(`${i}`, 'p', new Uint8Array(100 * i), { tags: ['t'] });
      },
      begin: () => () => undefined,
    });
    const closed = copyMemory(trial.memory);
    const accesses = trial.accessesIn(() => void trial.open());
    const points = visitAccesses(accesses, pointsMax, (k) => {
      restoreMemory(trial.memory, closed);
      assert(dies(k, () => void trial.open()) || k === accesses.at(-1));
      trial.verify(true);
    });
    covered.push(`  ${'closing in order'.padEnd(46)} ${points} of ${accesses.at(-1)}`);
  });

  it('of a new pool', () => {
    const memory = newMemory({ capacityBytes: 4 * 2 ** 20 });
    const empty = copyMemory(memory);
    const open = (): ReturnType<typeof ownPool> => ownPool(ownRegion(memory), defaultOptions);
    const accesses = accessesOf(() => void open());
    for (const k of pointsOf(accesses, pointsMax)) {
      restoreMemory(memory, empty);
      assert(dies(k, () => void open()));
      const { pool } = open();
      assert.deepEqual(pool.check().errors, []);
      assert.equal(pool.stats().parts, 0);
      pool.put('a', 'p', 'first');
      assert.deepEqual(pool.check().errors, []);
      assert.equal(pool.get('a', 'p')?.text(), 'first');
    }
    covered.push(`  ${'nothing: a new pool'.padEnd(46)} ${accesses}`);
  });
});
