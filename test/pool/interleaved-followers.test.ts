/**
 * Between any two memory accesses of a writer a thread that joined looks at the part that is being changed. It sees one of the states that the part
 * goes through, and when the writer is done it sees everything as the writer left it.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { points, Stage, writes } from './support/interleaving.ts';
import { contents, read } from './support/pools.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Points per operation with CI=true: all but those of a growing index. */
const pointsMax = 500;

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`looked at at accesses of\n${covered.join('\n')}\n`);
});

/** Everything that a thread can ask of the part, and of its context. */
function look(of: Pool): string | undefined {
  of.where('a', 'p');
  of.describe('a', 'p');
  of.context('a');
  return read(of, 'a', 'p')?.toString('hex');
}

describe.each(writes)('a thread that looks while the writer %s', (name, write, others) => {
  it('sees one state after the other, and in the end the last one', () => {
    const stage = new Stage(others);
    const { pool: first } = stage.writer();
    interrupt(Infinity, () => undefined);
    write(first);
    const accesses = accessCount();
    disarm();
    const after = contents(first);
    /** In the order in which they are seen. */
    const states: (string | undefined)[] = [];
    let count = 0;
    for (const k of points(accesses, pointsMax)) {
      const { pool } = stage.writer();
      const joined = stage.join();
      let seen: string | undefined;
      interrupt(k, () => (seen = look(joined)));
      write(pool);
      disarm();
      if (count === 0 || states.at(-1) !== seen) states.push(seen);
      assert.deepEqual(contents(joined), after, `access ${k} of ${accesses}`);
      assert.deepEqual(pool.check().errors, []);
      count++;
    }
    assert.equal(new Set(states).size, states.length, 'a state came back');
    covered.push(`  ${name.padEnd(40)} ${count} of ${accesses}, ${states.length} states`);
  });

  it('looks again before every access, and sees one state after the other', () => {
    const stage = new Stage(others);
    const { pool } = stage.writer();
    const joined = stage.join();
    const states: (string | undefined)[] = [];
    let k = 1;
    const lookAgain = (): void => {
      const seen = read(joined, 'a', 'p')?.toString('hex');
      if (k === 1 || states.at(-1) !== seen) states.push(seen);
      interrupt(++k, lookAgain);
    };
    interrupt(1, lookAgain);
    write(pool);
    disarm();
    assert.deepEqual(contents(joined), contents(pool));
    assert.equal(new Set(states).size, states.length, 'a state came back');
  });
});
