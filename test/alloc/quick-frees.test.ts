/** Frees of another owner's blocks by the `or` of WebAssembly, which the first region of a thread has for its first segment: they are what they are by Atomics.or. */

import assert from 'node:assert/strict';
import { beforeEach, expect, it, vi } from 'vitest';
import type * as Allocators from '../../src/alloc/allocator.ts';
import type * as SharedRegions from '../../src/memory/shared.ts';
import { Random } from '../../src/base/random.ts';
import type { Ref } from '../../src/memory/region.ts';
import { codeOf, identity, mib, segmentOf } from '../memory/support/regions.ts';
import { rounds, seed } from '../support/seed.ts';

let one: Allocators.PoolAllocator;
let other: Allocators.PoolAllocator;

// As a thread begins: its first region has it.
beforeEach(async () => {
  vi.resetModules();
  const shared: typeof SharedRegions = await import('../../src/memory/shared.ts');
  const allocators: typeof Allocators = await import('../../src/alloc/allocator.ts');
  const options = { capacityBytes: 8 * mib, segmentBytes: 4 * mib, ...identity };
  const region = shared.createSharedRegion(options);
  one = allocators.createAllocator(region);
  other = allocators.openAllocator(shared.attachSharedRegion(region.handle));
  assert(segmentOf(region, 0).orAt !== undefined);
  assert(segmentOf(other.region, 0).orAt === undefined);
});

function expectAllFree(): void {
  for (const each of [one, other]) {
    each.flush();
    each.leave();
  }
  one.flush();
  expect(one.check()).toEqual([]);
  expect([one.stats().liveBytes, one.usedBytes]).toEqual([0, 0]);
}

it('a block that another owner frees is freed once', () => {
  const refs = Array.from({ length: 200 }, () => other.allocate(1, 64));
  for (const ref of refs) {
    one.free(ref, 1);
    expect(codeOf(() => one.free(ref, 1))).toBe('double_free');
    expect(codeOf(() => other.free(ref, 1))).toBe('double_free');
  }
  expectAllFree();
});

it('a block that is not the start of one, or of another kind, stays', () => {
  const ref = other.allocate(1, 256);
  expect(codeOf(() => one.free(ref + 1, 1))).toBe('foreign_reference');
  expect(codeOf(() => one.free(ref, 2))).toBe('wrong_kind');
  one.free(ref, 1);
  expectAllFree();
});

it('blocks of either segment come back, whoever frees them', () => {
  const random = new Random(seed());
  const live: Ref[] = [];
  for (let i = 0; i < rounds(40_000, 400_000); i++) {
    const [owner, freer] = random.below(2) === 0 ? [one, other] : [other, one];
    const sizeBytes = 1 + random.below(3000);
    const ref = owner.allocate(1, sizeBytes);
    if (ref !== 0) live.push(ref);
    if (ref !== 0 && live.length < 2500 && random.below(3) > 0) continue;
    const at = random.below(live.length);
    freer.free(live[at] as Ref, 1);
    live[at] = live.at(-1) as Ref;
    live.pop();
  }
  expect(one.region.segments.length).toBe(2);
  expect(one.check()).toEqual([]);
  for (const ref of live) one.free(ref, 1);
  expectAllFree();
});
