/** Scenarios that die at every memory access in turn, and what must hold after recovery. */

import { expect } from 'vitest';
import { createAllocator, openAllocator } from '../../../src/alloc/allocator.ts';
import type { Ref } from '../../../src/memory/region.ts';
import { armCrash, Crash, disarm } from '../../support/instrumented-words.ts';
import { bytesOf, isFull, Oracle } from './oracle.ts';
import { SmallRegion, type SmallRegionShape } from './regions.ts';

export interface Scenario {
  readonly name: string;
  readonly shape: SmallRegionShape;
  /**
   * Brings the pool into the state before the operation.
   * @returns the operation, and the kept references that it may take away
   */
  readonly prepare: (oracle: Oracle) => { act: () => void; touches?: readonly Ref[] };
}

/** A pool whose writer died. */
export interface Wreck {
  readonly oracle: Oracle;
  /** References that the operation was about: live or gone, both are right. */
  readonly touches: ReadonlySet<Ref>;
  /** Kept references that must still be there. */
  readonly survivors: readonly Ref[];
}

/** All kinds are zeroed when freed, so that what recovery forgets to zero shows. */
export const wipeAll = { zeroKinds: 0b11111 };

/** @returns true when the operation died at access k, false when it ended before */
export function diesAt(k: number, operation: () => void): boolean {
  armCrash(k);
  try {
    operation();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  } finally {
    disarm();
  }
}

/** Runs a scenario with a crash at access k. @returns undefined when it ended before */
export function wreck(scenario: Scenario, k: number): Wreck | undefined {
  const region = new SmallRegion(scenario.shape);
  const oracle = new Oracle(createAllocator(region, wipeAll));
  const { act, touches = [] } = scenario.prepare(oracle);
  const touched = new Set(touches);
  const survivors = oracle.held.filter(({ ref, kept }) => kept && !touched.has(ref));
  if (!diesAt(k, act)) return undefined;
  reopen(oracle);
  return { oracle, touches: touched, survivors: survivors.map(({ ref }) => ref) };
}

/** The next process opens the pool. */
export function reopen(oracle: Oracle): void {
  oracle.allocator = openAllocator((oracle.allocator.region as SmallRegion).reopened(), wipeAll);
}

/** What recovery promises: every invariant, every kept block with its bytes, and nothing else. */
export function verifyRecovered({ oracle, touches, survivors }: Wreck): void {
  const { allocator } = oracle;
  expect(allocator.check()).toEqual([]);
  const live = new Set<Ref>();
  allocator.walk(({ ref, kept }) => {
    if (!kept || (!touches.has(ref) && !survivors.includes(ref))) {
      throw new Error(`reference ${ref} is live${kept ? '' : ' and not kept'}`);
    }
    live.add(ref);
  });
  expect(survivors.filter((ref) => !live.has(ref))).toEqual([]);
  oracle.held = oracle.held.filter(({ ref }) => live.has(ref));
  for (const held of oracle.held) {
    held.kept = true;
    // Who frees a block of another's slab zeroes it while it is kept: it is still there, and says nothing any more.
    if (touches.has(held.ref) && oracle.isWiped(held)) held.mark = 0;
    oracle.verifyBytes(held);
  }
}

/**
 * All memory comes back: one free run in segment 0, and not a byte left of what was stored there.
 */
export function verifyNothingLost(oracle: Oracle): void {
  oracle.freeAll();
  const { allocator } = oracle;
  allocator.dropEmptySegments();
  expect(allocator.check()).toEqual([]);
  const { usedBytes, freeBytes, largestFreeRunBytes, metadataBytes } = allocator.stats();
  expect(usedBytes).toBe(0);
  expect(largestFreeRunBytes).toBe(freeBytes);
  const data = bytesOf(allocator, metadataBytes / 64, freeBytes);
  expect(isFull(data, 0)).toBe(true);
}
