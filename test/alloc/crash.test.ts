/**
 * The writer dies at every memory access of every change, and again while the next one recovers.
 */

import { describe, expect, test, vi } from 'vitest';
import { createAllocator } from '../../src/alloc/allocator.ts';
import { accessCount } from '../support/instrumented-words.ts';
import { momentsOf } from '../support/moments.ts';
import { rounds, seed } from '../support/seed.ts';
import {
  diesAt,
  reopen,
  type Scenario,
  verifyNothingLost,
  verifyRecovered,
  wipeAll,
  wreck,
  type Wreck,
} from './support/crashes.ts';
import { Oracle } from './support/oracle.ts';
import { Random } from './support/random.ts';
import { kib, SmallRegion } from './support/regions.ts';
import { scenarios } from './support/scenarios.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

/** Recovers, dying at access j of that first if it has so many. */
function recoverDyingAt(j: number, { oracle }: Wreck): void {
  if (diesAt(j, () => void oracle.allocator.recover())) reopen(oracle);
  oracle.allocator.recover();
}

/** Accesses of recovery to die at after a death at access k, so that all is left that can be left. */
function momentsOfRecovery(scenario: Scenario, k: number): number[] {
  const { allocator } = (wreck(scenario, k) as Wreck).oracle;
  return momentsOf((allocator.region as SmallRegion).memory, () => void allocator.recover());
}

function accessesOf(scenario: Scenario): number {
  expect(wreck(scenario, Infinity)).toBe(undefined);
  return accessCount();
}

describe.each(scenarios)('$name', (scenario) => {
  test('dies at every access', () => {
    const accesses = accessesOf(scenario);
    expect(accesses).toBeGreaterThan(0);
    for (let k = 1; k <= accesses; k++) {
      const found = wreck(scenario, k) as Wreck;
      found.oracle.allocator.recover();
      verifyRecovered(found);
      verifyNothingLost(found.oracle);
    }
    expect(wreck(scenario, accesses + 1)).toBe(undefined);
  });

  test('dies, and dies again in recovery', () => {
    const random = new Random(seed());
    const accesses = accessesOf(scenario);
    for (let round = 0; round < rounds(20, 150); round++) {
      const k = 1 + random.below(accesses);
      const moments = momentsOfRecovery(scenario, k);
      const found = wreck(scenario, k) as Wreck;
      recoverDyingAt(moments[random.below(moments.length)] as number, found);
      verifyRecovered(found);
      verifyNothingLost(found.oracle);
    }
  });
});

test('recovery dies at every access', () => {
  const random = new Random(seed());
  const chosen = [
    'lose drafts',
    'spill stacks and give slabs back',
    'free a run between two free ones',
  ];
  for (const scenario of scenarios.filter(({ name }) => chosen.includes(name))) {
    const k = 1 + random.below(accessesOf(scenario));
    for (const j of momentsOfRecovery(scenario, k)) {
      const found = wreck(scenario, k) as Wreck;
      recoverDyingAt(j, found);
      verifyRecovered(found);
      verifyNothingLost(found.oracle);
    }
  }
});

test('random operations, dying anywhere, again and again', () => {
  const random = new Random(seed() + 1);
  const region = new SmallRegion({ segmentBytes: [640 * kib, 320 * kib, 512 * kib] });
  const oracle = new Oracle(createAllocator(region, wipeAll));
  for (let round = 0; round < rounds(150, 1_500); round++) {
    let touched: number[] = [];
    const died = diesAt(1 + random.below(6_000), () => {
      for (let operation = 0; operation < 400; operation++) {
        touched = [];
        const { held, allocator } = oracle;
        const choice = random.below(100);
        if (held.length === 0 || choice < 55) {
          oracle.allocate(random.below(5), random.sizeBytes(200_000));
          continue;
        }
        const index = random.below(held.length);
        const one = held[index] as (typeof held)[number];
        touched = [one.ref];
        if (choice < 75) {
          allocator.keep(one.ref);
          one.kept = true;
        } else {
          allocator.free(one.ref, one.kind);
          oracle.forget(index);
        }
      }
    });
    if (!died) continue;
    const touches = new Set(touched);
    const survivors = oracle.held.filter(({ ref, kept }) => kept && !touches.has(ref));
    reopen(oracle);
    const found = { oracle, touches, survivors: survivors.map(({ ref }) => ref) };
    recoverDyingAt(random.below(2) === 0 ? 1 + random.below(4_000) : Infinity, found);
    verifyRecovered(found);
    while (oracle.held.length > 120) oracle.free(random.below(oracle.held.length));
  }
  verifyNothingLost(oracle);
});
