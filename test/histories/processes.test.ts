/** Clients in processes of their own share a mapped pool: what each was told is what a pool without concurrency would have told it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { rounds, seed } from '../support/seed.ts';
import { checkPart } from './support/checker.ts';
import { byPart, overlapping } from './support/history.ts';
import { type Plan, record } from './support/processes.ts';

const mib = 2 ** 20;
const usual: Omit<Plan, 'folder'> = {
  clients: 3,
  operations: 4000,
  contexts: 4,
  parts: 2,
  wordsMax: 4000,
  largeEvery: 8,
  capacityBytes: 16 * mib,
  kills: 0,
  victims: 'first',
};

/** Runs histories and demands that each is linearisable. */
async function judge(name: string, count: number, plan: Omit<Plan, 'folder'>): Promise<void> {
  const random = new Random(seed());
  const sums = { operations: 0, overlapping: 0, evictions: 0, refusals: 0 };
  for (let round = 0; round < count; round++) {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-history-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { history, evictions, refusals } = await record({ ...plan, folder }, random);
    for (const operations of byPart(history).values()) {
      const verdict = checkPart(operations);
      expect(verdict, `${name}, round ${round} of seed ${seed()}`).toMatchObject({
        verdict: 'linearisable',
      });
    }
    sums.operations += history.length;
    sums.overlapping += overlapping(history);
    sums.evictions += evictions;
    sums.refusals += refusals;
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`  ${name}: ${count} histories, ${JSON.stringify(sums)}\n`);
  expect(sums.overlapping).toBeGreaterThan(0);
  if (plan.capacityBytes < usual.capacityBytes) expect(sums.evictions).toBeGreaterThan(0);
}

describe('histories of processes', () => {
  it('are linearisable', () => judge('plain', rounds(2, 12), usual));

  it('are linearisable when parts are evicted', () =>
    judge('evicting', rounds(1, 6), {
      ...usual,
      contexts: 60,
      parts: 4,
      wordsMax: 40_000,
      largeEvery: 2,
      capacityBytes: 4 * mib,
    }));

  it('are linearisable when the first is killed, again and again', () =>
    judge('killed', rounds(1, 6), { ...usual, kills: 5 }));
});
