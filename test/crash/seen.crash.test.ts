/**
 * The writer dies at each of its memory accesses, and a thread that joined looks at what is there. Nothing that it saw is undone by the recovery
 * that follows: versions do not fall, and what was gone stays gone.
 */

import assert from 'node:assert/strict';
import { afterAll, describe, it, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { accessCount, disarm, interrupt } from '../support/instrumented-words.ts';
import { points, Stage, writes } from '../pool/support/interleaving.ts';
import { dies } from './harness.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Points per operation with CI=true: all but those of a growing index. */
const pointsMax = 400;

const covered: string[] = [];

afterAll(() => {
  process.stdout.write(`looked at after a death at accesses of\n${covered.join('\n')}\n`);
});

/** Version of the part that is changed; -1 when there is none. */
function versionIn(of: Pool): number {
  const lease = of.get('a', 'p');
  const version = lease?.version ?? -1;
  lease?.release();
  return version;
}

describe.each(writes)('what was seen before the writer died while it %s', (name, write, others) => {
  it('is there after recovery', () => {
    const stage = new Stage(others);
    const { pool: first } = stage.writer();
    /** States of the part, in the order in which it goes through them. */
    const states = [versionIn(first)];
    interrupt(Infinity, () => undefined);
    write(first);
    const accesses = accessCount();
    disarm();
    let count = 0;
    for (const k of points(accesses, pointsMax)) {
      const { pool } = stage.writer();
      const joined = stage.join();
      assert(dies(k, () => void write(pool)));
      const seen = versionIn(joined);
      if (states.at(-1) !== seen) states.push(seen);
      const recovered = versionIn(stage.recovered().pool);
      // The next state is right too: a change that was under way may be completed.
      const isLater = recovered === seen || !states.slice(0, -1).includes(recovered);
      assert(isLater, `access ${k} of ${accesses}: ${seen} was seen, ${recovered} came back`);
      count++;
    }
    assert.equal(new Set(states).size, states.length, 'a state came back');
    covered.push(`  ${name.padEnd(40)} ${count} of ${accesses}, ${states.length} states`);
  });
});
