/**
 * Random operations on pools of several shapes, compared with a naive oracle: exactly where nothing is evicted, and otherwise exactly but
 * for what the pool told it evicted.
 */

import type { PolicyName } from '../../src/evict/api.ts';
import { policyNames } from '../../src/evict/policies.ts';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { StoreOptions } from '../../src/store/options.ts';
import {
  fixedIdentity,
  newMemory,
  type OwnedPool,
  ownPool,
  ownRegion,
} from '../support/owned-memory.ts';
import { rounds, seed } from '../support/seed.ts';
import { Driver } from './driver.ts';
import type { Rules } from './model.ts';

const mib = 2 ** 20;
const operations = rounds(3_500, 35_000);
const batch = 500;

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-model-'));
  folders.push(folder);
  return folder;
}

function optionsOf({ model }: Driver, hooks: boolean): StoreOptions {
  return {
    clock: model.clock,
    seed: seed(),
    eviction: policyNames[seed() % policyNames.length] as PolicyName,
    checksums: true,
    hooks: hooks ? model.hooks : {},
  };
}

async function run(driver: Driver): Promise<void> {
  for (let done = 0; done < operations; done++) {
    try {
      await driver.step();
      if (done % batch === batch - 1) driver.compare();
    } catch (error) {
      throw new Error(`operation ${done} of seed ${seed()}`, { cause: error });
    }
  }
  const { evictions, poolFull } = driver.model;
  expect(driver.model.owned.pool.stats().operations.evictions).toBe(evictions);
  process.stdout.write(
    `  ${operations} operations, ${evictions} evictions, ${poolFull} times full\n`,
  );
  driver.empty();
}

describe('against an oracle', () => {
  it('a pool with room, closed, crashed and opened again', async () => {
    const memory = newMemory({ capacityBytes: 512 * mib });
    const rules: Rules = {
      evicts: false,
      holds: true,
      contexts: 400,
      largestBytes: 1.5 * mib,
      reopen: async ({ pool }) => {
        await pool.close();
        return ownPool(ownRegion(memory), options);
      },
      crash: async () => ownPool(ownRegion(memory), options),
    };
    const driver = new Driver(seed(), rules);
    const options = optionsOf(driver, false);
    driver.model.owned = ownPool(ownRegion(memory), options);
    await run(driver);
  });

  const small: [name: string, capacityMib: number, segmentMib: number, holds: boolean][] = [
    ['4 MiB, nothing held', 4, 4, false],
    ['4 MiB', 4, 4, true],
    ['8 MiB in two segments', 8, 4, true],
  ];
  for (const [name, capacityMib, segmentMib, holds] of small) {
    it(`a pool that evicts: ${name}`, async () => {
      const sizes = { capacityBytes: capacityMib * mib, segmentBytes: segmentMib * mib };
      // Tables and entries do not move, and may lie in the way of the largest values.
      const largestBytes = holds ? mib : mib / 4;
      const rules = { evicts: true, holds, contexts: 300, largestBytes };
      const driver = new Driver(seed(), rules);
      driver.model.owned = ownPool(ownRegion(newMemory(sizes)), optionsOf(driver, true));
      await run(driver);
      for (const reserved of driver.model.budget.values()) expect(reserved).toBe(0);
    });
  }

  it('a pool whose capacity changes', async () => {
    const sizes = { capacityBytes: 8 * mib, maxCapacityBytes: 12 * mib, segmentBytes: 4 * mib };
    const rules = {
      evicts: true,
      holds: true,
      contexts: 400,
      largestBytes: mib,
      capacity: { minBytes: 4 * mib, maxBytes: 12 * mib },
    };
    const driver = new Driver(seed(), rules);
    driver.model.owned = ownPool(ownRegion(newMemory(sizes)), optionsOf(driver, true));
    await run(driver);
  });

  it('a mapped pool that evicts, closed, crashed and opened again', async () => {
    let folder = freshFolder();
    const open = (): OwnedPool => {
      const sizes = { capacityBytes: 8 * mib, segmentBytes: 4 * mib };
      return ownPool(openMappedRegion(folder, 'own', { ...fixedIdentity, ...sizes }), options);
    };
    const rules: Rules = {
      evicts: true,
      holds: true,
      contexts: 400,
      largestBytes: mib,
      capacity: { minBytes: 4 * mib, maxBytes: 12 * mib },
      reopen: async ({ pool }) => {
        await pool.close();
        return open();
      },
      // What a crash leaves is what the files hold now.
      crash: async ({ pool }) => {
        const copy = freshFolder();
        cpSync(folder, copy, { recursive: true });
        await pool.close();
        folder = copy;
        return open();
      },
    };
    const driver = new Driver(seed(), rules);
    const options = optionsOf(driver, true);
    driver.model.owned = open();
    await run(driver);
  });
});
