/** A pool that is full takes what comes for what goes: how much that is, and how often it takes a look at everything. */

import assert from 'node:assert/strict';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { allocControl } from '../../src/alloc/layout.ts';
import { Random } from '../../src/base/random.ts';
import { hasCode } from '../../src/errors.ts';
import { peek } from '../../src/memory/words.ts';
import { counter } from '../../src/store/counters.ts';
import { wordOf } from '../../src/store/entry.ts';
import { withPen } from '../../src/store/pen.ts';
import { evictWindows } from '../../src/store/window.ts';
import type { OwnedPool } from '../support/owned-memory.ts';
import {
  anotherPool,
  newMemory,
  ownPool,
  ownRegion,
  stillOptions,
} from '../support/owned-memory.ts';
import { seed } from '../support/seed.ts';

const mib = 2 ** 20;

let pool: OwnedPool['pool'];
let store: OwnedPool['store'];
let puts = 0;

/** A pool of one segment. */
function open(capacityBytes: number): void {
  const memory = newMemory({ capacityBytes, segmentBytes: capacityBytes });
  ({ pool, store } = ownPool(ownRegion(memory), stillOptions));
  puts = 0;
}

beforeEach(() => open(16 * mib));

function put(sizeBytes: number): void {
  pool.put(`c${puts++}`, 'p', new Uint8Array(sizeBytes));
}

/** Puts a part. @returns whether the pool was full */
function isRefused(id: string, sizeBytes: number, pinned = false): boolean {
  try {
    pool.put(id, 'p', new Uint8Array(sizeBytes), { pinned });
    return false;
  } catch (error) {
    assert(hasCode(error, 'pool_full'));
    return true;
  }
}

/** Puts until parts have been evicted for a while. */
function fill(sizeBytes: () => number): void {
  while (evictions() < 500) put(sizeBytes());
}

const evictions = (): number => peek(store.control, store.countersAt + counter.evictions);

/** What a number of puts does to a counter. */
function during(count: number, sizeBytes: () => number, counted: () => number): number {
  const before = counted();
  for (let i = 0; i < count; i++) put(sizeBytes());
  return counted() - before;
}

/** How often memory was short, so that all give back what they hold. */
const reliefs = (): number => peek(store.control, allocControl.pressure);

describe('parts of one length in a full pool', () => {
  for (const sizeBytes of [200, 1000, 16_384, 65_536]) {
    it(`of ${sizeBytes} bytes go one by one, and seldom has anybody to give back what he holds`, () => {
      fill(() => sizeBytes);
      const before = reliefs();
      const count = 640;
      const gone = during(count, () => sizeBytes, evictions);
      expect(gone).toBeGreaterThan(0.9 * count);
      expect(gone).toBeLessThan(1.1 * count);
      expect(reliefs() - before).toBeLessThan(count / 10);
      expect(pool.check().errors).toEqual([]);
    });
  }

  it('are not looked at to be moved, time and again, where nothing can be', () => {
    const holes = Array.from({ length: 200 }, (_, i) => `hole${i}`);
    for (const id of holes) pool.put(id, 'p', new Uint8Array(8192));
    const leases = holes.flatMap((id, i) => (i % 2 === 0 ? [pool.get(id, 'p')] : []));
    for (const id of holes) pool.delete(id);
    fill(() => 16_384);
    const looks = vi.spyOn(store.allocator, 'allocateNearer');
    for (let i = 0; i < 4096; i++) put(16_384);
    // Once for each part that there is; after every 64th put that would be 64 times.
    expect(looks).toHaveBeenCalled();
    expect(looks.mock.calls.length).toBeLessThan(10 * pool.stats().parts);
    for (const lease of leases) lease?.release();
  });
});

describe('parts of many lengths in a full pool', () => {
  it('go one by one, and not by whole windows', () => {
    const random = new Random(seed());
    const sizeBytes = (): number => Math.floor(64 * 64 ** (random.below(1000) / 1000));
    fill(sizeBytes);
    for (let i = 0; i < 20_000; i++) put(sizeBytes());
    const walks = vi.spyOn(store.allocator, 'walk');
    const before = reliefs();
    const count = 20_000;
    const gone = during(count, sizeBytes, evictions);
    expect(gone).toBeLessThan(1.1 * count);
    expect(reliefs() - before).toBeLessThan(count / 5);
    expect(walks.mock.calls.length).toBeLessThan(count / 500);
    expect(pool.check().errors).toEqual([]);
  });
});

describe('parts of a new length in a full pool', () => {
  it('get windows of which several are cleared at one look', () => {
    open(64 * mib);
    fill(() => 1000);
    const before = evictions();
    expect(withPen(store, () => evictWindows(store, 3000))).toBe(true);
    const inSlab = Math.floor(2 ** store.region.slabShift / 1024);
    expect(evictions() - before).toBeGreaterThan(2 * inSlab);
    expect(pool.check().errors).toEqual([]);
  });

  it('do not go for each other', () => {
    fill(() => 1000);
    const first = puts;
    for (let i = 0; i < 400; i++) put(3000);
    let there = 0;
    for (let i = first; i < puts; i++) if (pool.has(`c${i}`)) there++;
    expect(there).toBeGreaterThan(0.95 * 400);
  });
});

it('a window is cleared of parts in runs that are longer than they have room', () => {
  open(64 * mib);
  for (; evictions() === 0; puts++) {
    pool.put('long', 'p', new Uint8Array(320 * 1024));
    pool.delete('long');
    pool.put(`c${puts}`, 'p', new Uint8Array(256 * 1024)); // in the run of the other
  }
  // The first that were put are in longer runs, and only they may go.
  for (let n = 60; n < puts; n++) pool.pin(`c${n}`);
  expect(withPen(store, () => evictWindows(store, 12 * mib))).toBe(true);
});

it('what is leased while windows are chosen stays', () => {
  fill(() => 2000);
  const before = evictions();
  const ids = new Map<number, string>();
  for (const { id } of pool.list({ limit: 10_000 })) {
    store.key.set(id, 'p');
    ids.set(wordOf(store.region, store.find()), id);
  }
  const leases: { release(): void }[] = [];
  const age = store.evictor.age.bind(store.evictor);
  vi.spyOn(store.evictor, 'age').mockImplementation((words, at) => {
    leases.push(pool.get(ids.get(at) ?? '', 'p') ?? assert.fail('no such part'));
    return age(words, at);
  });
  expect(withPen(store, () => evictWindows(store, 3000))).toBe(true);
  expect(leases.length).toBeGreaterThan(1000);
  expect(evictions()).toBe(before);
  for (const lease of leases) lease.release();
});

it('all give back what they hold before a part is refused for want of an entry', () => {
  for (let i = 0; !isRefused(`large${i}`, 16_384, true); i++);
  for (let i = 0; !isRefused(`none${i}`, 0, true); i++);
  const before = reliefs();
  for (let i = 0; i < 10; i++) expect(isRefused('none', 0, true)).toBe(true);
  expect(reliefs() - before).toBeGreaterThanOrEqual(10);
});

it('two owners of a full pool seldom have each other give back what they hold', () => {
  const memory = newMemory({ capacityBytes: 16 * mib, segmentBytes: 16 * mib });
  ({ pool, store } = ownPool(ownRegion(memory), stillOptions));
  const second = anotherPool(memory, stillOptions);
  fill(() => 1000);
  const before = reliefs();
  for (let i = 0; i < 600; i++) {
    put(1000);
    second.pool.put(`second${i}`, 'p', new Uint8Array(1000));
  }
  expect(reliefs() - before).toBeLessThan(1200 / 10);
  expect(pool.check().errors).toEqual([]);
});

it('nothing goes where the pool may still grow, though there was no room for something large', () => {
  const memory = newMemory({ capacityBytes: 24 * mib, segmentBytes: 16 * mib });
  ({ pool, store } = ownPool(ownRegion(memory), stillOptions));
  for (let i = 0; i < 15 * 64; i++) put(16_384);
  const leases = Array.from({ length: puts }, (_, i) => pool.get(`c${i}`, 'p'));
  expect(isRefused('large', 9 * mib)).toBe(true);
  for (const lease of leases) lease?.release();
  expect(during(6 * 64, () => 16_384, evictions)).toBe(0);
});

it('nothing goes where this owner holds free runs', () => {
  open(256 * mib);
  fill(() => mib);
  for (let i = puts - 20; i < puts; i++) pool.delete(`c${i}`);
  expect(during(1000, () => 3000, evictions)).toBe(0);
});

it('memory in pieces comes together at last where nothing may go', () => {
  const pinned = Array.from({ length: 950 }, (_, i) => `pinned${i}`);
  for (const id of pinned) pool.put(id, 'p', new Uint8Array(16_384), { pinned: true });
  const leases = pinned.flatMap((id, i) => (i % 2 === 0 ? [pool.get(id, 'p')] : []));
  for (const [i, id] of pinned.entries()) if (i % 2 === 1) pool.delete(id);
  for (let i = 0; i < 1000; i++) expect(isRefused('large', mib)).toBe(true);
  for (const lease of leases) lease?.release();
  let refused = 0;
  while (isRefused('large', mib)) assert(refused++ < 100);
  expect(pool.check().errors).toEqual([]);
});
