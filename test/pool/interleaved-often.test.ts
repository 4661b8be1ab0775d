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
import { again, once, Stage, unlessBusy, type Way } from './support/interleaving.ts';
import { filled, read } from './support/pools.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

type Write = (of: Pool) => unknown;
type Look = (of: Pool) => string;

/** Interruptions of one read. */
const interruptionsMax = 5;

function told(what: unknown): string {
  return JSON.stringify(what, (key, value: unknown) => (key === 'uses' ? 0 : value)) ?? 'nothing';
}

const looks: readonly Look[] = [
  (of) => read(of, 'a', 'p')?.toString('hex') ?? 'nothing',
  (of) => told(of.describe('a', 'p')),
  (of) => told(of.describe('a', 'q')),
  (of) => told(of.context('a')),
  (of) => String(of.where('a', 'new')),
];

/** Each changes one part, at one moment. */
const steps: readonly Write[] = [
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

/** Accesses in rising order: close to each other, or anywhere in a read that is repeated once. */
function placesIn(random: Random, count: number, accesses: number): number[] {
  const widest = random.below(2) === 0 ? 12 : Math.ceil((2 * accesses) / count);
  const at = [1 + random.below(accesses)];
  while (at.length < count) at.push((at.at(-1) ?? 0) + 1 + random.below(widest));
  return at;
}

/** One pool, what is written to it in order, and what is looked at. */
class Trial {
  readonly #stage: Stage;
  readonly #writes: readonly Write[];
  readonly #look: Look;
  readonly #way: Way;
  /** What is seen before the first write, and after each. */
  readonly states: string[] = [];
  /** Of a look at the first state. */
  readonly accesses: number;

  constructor(stage: Stage, chosen: readonly Write[], look: Look, way: Way) {
    this.#stage = stage;
    this.#writes = chosen;
    this.#look = look;
    this.#way = way;
    const { pool } = stage.writer();
    const watcher = stage.join();
    this.states.push(look(watcher));
    way.begin(pool, () => interrupt(Infinity, () => undefined));
    look(watcher);
    this.accesses = accessCount();
    disarm();
    for (const write of chosen) {
      write(pool);
      this.states.push(look(watcher));
    }
  }

  /** Looks while the writes come right before these accesses. @returns what was seen */
  run(at: readonly number[]): string {
    const { pool } = this.#stage.writer();
    const joined = this.#stage.join();
    let done = 0;
    const come = (turn: number): void => {
      // The reader itself takes the pen to free what it leased last: then the write comes later.
      if (done === turn && unlessBusy(() => this.#writes[turn]?.(pool))) done = turn + 1;
    };
    this.#way.begin(pool, () => interruptAt(at, come));
    const seen = this.#look(joined);
    disarm();
    const right = this.states.slice(0, done + 1);
    const where = `interrupted at ${at.join(', ')} of ${this.accesses}`;
    assert(right.includes(seen), `${where}: ${seen}\n${right.join('\n')}`);
    for (const write of this.#writes.slice(done)) write(pool);
    assert.equal(this.#look(joined), this.states.at(-1), where);
    return seen;
  }
}

it('a read sees one of the states that a part goes through', () => {
  const random = new Random(seed());
  const stage = new Stage();
  const seen = new Set<string>();
  for (let round = 0; round < rounds(150, 2500); round++) {
    // Few different ones, so that they meet.
    const some = [1, 2, 3].map(() => steps[random.below(steps.length)] as Write);
    const count = 1 + random.below(interruptionsMax);
    const chosen = Array.from({ length: count }, () => some[random.below(some.length)] as Write);
    const look = looks[random.below(looks.length)] as Look;
    const trial = new Trial(stage, chosen, look, once);
    seen.add(trial.run(placesIn(random, count, trial.accesses)));
  }
  expect(seen.size).toBeGreaterThan(20);
});

const more = (part: string) => (of: Pool) => of.append('a', part, filled(20, 8));

const appends: readonly [name: string, chosen: readonly Write[]][] = [
  ['one part, then another', [more('p'), more('q')]],
  ['another part, then the one', [more('q'), more('p')]],
];

it.each([
  ...appends.map(([name, chosen]) => [name, chosen, once] as const),
  ...appends.map(
    ([name, chosen]) => [`${name}, while it is looked at again`, chosen, again] as const,
  ),
])('a context is of one moment, whenever the writer appends to %s', (_, chosen, way) => {
  const trial = new Trial(new Stage(), chosen, (of) => told(of.context('a')), way);
  const stride = process.env['CI'] === 'true' ? 1 : 13;
  const first = way.from + 1 + new Random(seed()).below(stride);
  for (let k = first; k <= trial.accesses; k += stride) {
    for (let next = k + 1; next < k + 40; next += stride) trial.run([k, next]);
  }
});
