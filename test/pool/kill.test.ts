/**
 * A process that writes to a mapped pool is killed at random points of its load: every write that it acknowledged is there, and the one
 * that it was at is there as a whole or not at all.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { openPool } from '../../src/pool/open.ts';
import { rounds, seed } from '../support/seed.ts';
import {
  after,
  apply,
  isIn,
  liveAndDie,
  type Operation,
  randomOperation,
  type State,
} from './support/loads.ts';
import { expectSound, mib } from './support/pools.ts';

const kills = rounds(50, 60);
const operationsPerLife = 3000;
const sizes = { capacityBytes: 64 * mib, segmentBytes: 4 * mib };

describe('a pool whose writer is killed', () => {
  it(`holds every acknowledged write, ${kills} times`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-kill-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'pool');
    const file = join(folder, 'operations.json');
    const random = new Random(seed());
    let state: State = new Map();
    let acknowledged = 0;
    let unfinished = 0;
    for (let kill = 0; kill < kills; kill++) {
      const operations = Array.from({ length: operationsPerLife }, () => randomOperation(random));
      writeFileSync(file, JSON.stringify({ ...sizes, operations }));
      const lifetime = random.below(8) === 0 ? 0 : 1 + random.below(operationsPerLife / 3);
      const answers = await liveAndDie(path, file, lifetime);
      for (const [i, answer] of answers.entries()) {
        apply(state, operations[i] as Operation, answer);
      }
      acknowledged += answers.length;
      const interrupted = operations[answers.length];
      const other = interrupted === undefined ? state : after(state, interrupted);
      // Looking on leaves the pool as it is: then the next writer recovers it.
      const readOnly = random.below(3) === 0 && answers.length > 0;
      const pool = await openPool(readOnly ? { path, readOnly } : { path, ...sizes });
      try {
        expectSound(pool);
        const isOld = isIn(pool, state);
        expect(isOld || isIn(pool, other), `kill ${kill} of seed ${seed()}`).toBe(true);
        if (!isOld) {
          state = other;
          unfinished++;
        }
      } finally {
        await pool.close();
      }
    }
    process.stdout.write(
      `  ${kills} kills, ${acknowledged} acknowledged operations; ` +
        `${unfinished} times the one under way was done too\n`,
    );
  });
});
