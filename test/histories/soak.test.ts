/**
 * kill -9 and SIGSTOP of processes that share a mapped pool, at random and again and again, also while they open it and recover what the dead have
 * left. No acknowledged write is lost, no read is torn, versions never fall: the history of all of them is linearisable. Nothing leaks: check is
 * clean, and when all parts are deleted nothing is held. As many kills as `npm run soak -- --kills N` says.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { kinds, metadataKind } from '../../src/alloc/kind.ts';
import { Random } from '../../src/base/random.ts';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import { rounds, seed } from '../support/seed.ts';
import { checkPart } from './support/checker.ts';
import { byPart, type Operation, overlapping } from './support/history.ts';
import { type Plan, poolOf, readBlocks, record } from './support/processes.ts';

const mib = 2 ** 20;
const kills = Number(process.env['CENOTE_KILLS'] ?? rounds(10, 60));
const killsPerPool = 10;
/** A bound against what hangs. */
const limitMs = 120_000 + 5000 * kills;

function planFor(folder: string, evicting: boolean): Plan {
  return {
    folder,
    clients: 4,
    operations: 3000,
    contexts: evicting ? 60 : 5,
    parts: evicting ? 4 : 2,
    wordsMax: evicting ? 40_000 : 4000,
    largeEvery: evicting ? 2 : 8,
    capacityBytes: evicting ? 4 * mib : 16 * mib,
    kills: killsPerPool,
    victims: 'anyone',
  };
}

/** What is there after all have gone, as reads at the end of the history. */
function lastReads(pool: Pool, history: readonly Operation[]): Operation[] {
  const endNs = history.reduce(
    (last, { calledNs, returnedNs }) =>
      Math.max(last, calledNs, returnedNs === Infinity ? 0 : returnedNs),
    0,
  );
  return [...byPart(history).keys()].map((part) => {
    const [id, name] = part.split('/') as [string, string];
    const lease = pool.get(id, name);
    const blocks = lease === undefined ? [] : readBlocks(lease.data as Uint32Array);
    const seen = lease === undefined ? undefined : { version: lease.version, blocks };
    lease?.release();
    const span = { calledNs: endNs + 1, returnedNs: endNs + 2 };
    return { ...span, client: -1, part, action: { name: 'get', seen } };
  });
}

/** Nothing is held for nobody, before and after all parts are deleted. */
function expectNoLeaks(pool: Pool): void {
  expect(pool.check().errors).toEqual([]);
  expect(pool.stats()).toMatchObject({ ownersAlive: 1, retiredParts: 0 });
  for (const { id } of pool.list({ limit: 10_000 })) pool.delete(id);
  expect(pool.check().errors).toEqual([]);
  const { parts, contexts, memory } = pool.stats();
  expect({ parts, contexts }).toEqual({ parts: 0, contexts: 0 });
  const held = memory.kinds.map(({ liveBytes }) => liveBytes);
  expect(held.filter((_, kind) => kind !== metadataKind)).toEqual(kinds.slice(1).map(() => 0));
}

it(
  `${kills} kills lose nothing, tear nothing, and leak nothing`,
  { timeout: limitMs },
  async () => {
    const random = new Random(seed());
    const sums = { kills: 0, stops: 0, operations: 0, overlapping: 0, evictions: 0, refusals: 0 };
    for (let round = 0; sums.kills < kills; round++) {
      const folder = mkdtempSync(join(tmpdir(), 'cenote-soak-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const found = await record(planFor(folder, round % 2 === 1), random);
      const pool = await openPool({ path: poolOf(folder) });
      const history = [...found.history, ...lastReads(pool, found.history)];
      for (const operations of byPart(history).values()) {
        expect(checkPart(operations), `round ${round} of seed ${seed()}`).toMatchObject({
          verdict: 'linearisable',
        });
      }
      expectNoLeaks(pool);
      await pool.close();
      sums.kills += found.kills;
      sums.stops += found.stops;
      sums.operations += history.length;
      sums.overlapping += overlapping(history);
      sums.evictions += found.evictions;
      sums.refusals += found.refusals;
      rmSync(folder, { recursive: true, force: true });
    }
    process.stdout.write(`  ${JSON.stringify(sums)}\n`);
  },
);
