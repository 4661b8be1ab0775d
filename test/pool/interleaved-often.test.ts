/**
 * A thread that joined reads, and between its memory accesses the writer does one thing after the other, as often as chance will have it: what is
 * read is what was there before all of them, or after one of them.
 */

import assert from 'node:assert/strict';
import { expect, it, vi } from 'vitest';
import { Random } from '../../src/base/random.ts';
import type { Pool } from '../../src/pool/api.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { rounds, seed } from '../support/seed.ts';
import { Stage } from './support/interleaving.ts';
import { filled, read } from './support/pools.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Interruptions of one read. */
const interruptionsMax = 5;

function told(what: unknown): string {
  return JSON.stringify(what, (key, value: unknown) => (key === 'uses' ? 0 : value)) ?? 'nothing';
}

const looks: readonly ((of: Pool) => string)[] = [
  (of) => read(of, 'a', 'p')?.toString('hex') ?? 'nothing',
  (of) => told(of.describe('a', 'p')),
  (of) => told(of.describe('a', 'q')),
  (of) => told(of.context('a')),
  (of) => String(of.where('a', 'new')),
];

/** Each changes one part, at one moment. */
const steps: readonly ((of: Pool) => unknown)[] = [
  ...['p', 'q', 'new', 'other'].flatMap((part) => [
    (of: Pool) => of.put('a', part, filled(900, 9)),
    (of: Pool) => of.append('a', part, filled(20, 8)),
    (of: Pool) => of.delete('a', part),
  ]),
  (of) => of.append('a', 'p', filled(5000, 7)),
  (of) => of.delete('a', 'r'.repeat(200)),
  (of) => of.put('a', 'r'.repeat(200), filled(10, 6)),
  (of) => of.put('b', 'p', filled(100, 9)),
  (of) => of.delete('b', 'p'),
];

/** Calls `write` for each of `at`, in order, right before that access of what follows. */
function interruptAt(at: readonly number[], write: (turn: number) => void, turn = 0): void {
  interrupt(at[turn] ?? Infinity, () => {
    write(turn);
    interruptAt(at, write, turn + 1);
  });
}

it('a read sees one of the states that a part goes through', () => {
  const random = new Random(seed());
  const stage = new Stage();
  const seenStates = new Set<string>();
  for (let round = 0; round < rounds(150, 5000); round++) {
    const chosen = Array.from({ length: 1 + random.below(interruptionsMax) }, () => {
      return steps[random.below(steps.length)] as (typeof steps)[number];
    });
    const look = looks[random.below(looks.length)] as (typeof looks)[number];

    // Each state for itself, and how many accesses a look takes in between.
    const { pool: first } = stage.writer();
    const watcher = stage.join();
    const states = [look(watcher)];
    interrupt(Infinity, () => undefined);
    look(watcher);
    const accesses = accessCount();
    disarm();
    for (const write of chosen) {
      write(first);
      states.push(look(watcher));
    }

    const { pool } = stage.writer();
    const joined = stage.join();
    const at = chosen.map(() => 1 + random.below(2 * accesses)).toSorted((a, b) => a - b);
    for (const [i, k] of at.entries()) at[i] = Math.max(k, (at[i - 1] ?? 0) + 1);
    let done = 0;
    interruptAt(at, (turn) => {
      chosen[turn]?.(pool);
      done = turn + 1;
    });
    const seen = look(joined);
    disarm();
    assert(
      states.slice(0, done + 1).includes(seen),
      `round ${round}, interrupted at ${at.join(', ')} of ${accesses}: ${seen}\n${states.join('\n')}`,
    );
    seenStates.add(seen);
    for (const write of chosen.slice(done)) write(pool);
    assert.equal(look(joined), states.at(-1), `round ${round}`);
  }
  expect(seenStates.size).toBeGreaterThan(20);
});
