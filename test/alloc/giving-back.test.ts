/** Free memory goes back to the system, and is taken again before it is handed out. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { giveBackMinBytes } from '../../src/alloc/absent.ts';
import { createAllocator, openAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { segmentLockWord } from '../../src/memory/layout.ts';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { Region, Segment } from '../../src/memory/region.ts';
import { codeOf, identity } from '../memory/support/regions.ts';
import { mayMount, tinyFileSystem } from '../memory/support/tiny-file-system.ts';
import { verifyAbsence } from './support/absence.ts';
import { type Held, Oracle } from './support/oracle.ts';
import { kib, mib, SmallRegion } from './support/regions.ts';

const page = 4096;
const long = 20 * page;

interface Subject {
  readonly region: SmallRegion;
  readonly oracle: Oracle;
  readonly allocator: PoolAllocator;
  absentPages(): number;
}

function subject(segmentBytes: readonly number[] = [2 * mib]): Subject {
  const region = new SmallRegion({ segmentBytes });
  const allocator = createAllocator(region, { lockWaitMs: 0 });
  return {
    region,
    allocator,
    oracle: new Oracle(allocator),
    absentPages: () => verifyAbsence(region),
  };
}

function runs({ oracle }: Subject, count: number, sizeBytes: number = long): Held[] {
  return Array.from({ length: count }, () => oracle.allocate(3, sizeBytes) as Held);
}

function release({ oracle, allocator }: Subject, held: readonly Held[]): void {
  for (const one of held) oracle.free(oracle.held.indexOf(one));
  allocator.flush();
}

/** What is free, as a number of pages. */
function freePages({ allocator }: Subject): number {
  return allocator.stats().freeBytes / page;
}

describe('free memory', () => {
  test('goes back once, and says so', () => {
    const it = subject();
    runs(it, 3);
    const free = freePages(it);
    expect(it.allocator.giveBack()).toBe(free * page);
    expect(it.absentPages()).toBe(free);
    expect(it.allocator.stats().givenBackBytes).toBe(free * page);
    expect(it.allocator.giveBack()).toBe(0);
    it.oracle.verify();
  });

  test('of less than a bound stays', () => {
    const it = subject();
    const held = runs(it, 9, giveBackMinBytes);
    release(it, [held[1] as Held]);
    const short = runs(it, 9, giveBackMinBytes - page);
    release(it, [short[1] as Held]);
    it.oracle.allocate(3, (freePages(it) - 36) * page);
    expect(it.allocator.giveBack(2 * giveBackMinBytes)).toBe(0);
    expect(it.allocator.giveBack(giveBackMinBytes)).toBeGreaterThan(0);
    expect(it.region.isAbsent(0, (short[1] as Held).ref >> 6)).toBe(false);
    expect(it.allocator.giveBack(page)).toBeGreaterThan(0);
    expect(it.region.isAbsent(0, (short[1] as Held).ref >> 6)).toBe(true);
    it.oracle.verify();
  });

  test('is taken again for what is handed out, and no more', () => {
    const it = subject();
    it.allocator.giveBack();
    const before = it.absentPages();
    runs(it, 1);
    expect(it.absentPages()).toBe(before - 20);
    it.oracle.allocate(1, 64);
    expect(it.absentPages()).toBe(before - 24);
    it.oracle.allocate(0, 3 * page);
    expect(it.absentPages()).toBe(before - 27);
    expect(it.allocator.stats().givenBackBytes).toBe((before - 27) * page);
    it.oracle.verify();
  });

  test('stays absent when it merges, whatever is on the left and on the right', () => {
    for (const [before, freed] of [
      [[0], 1],
      [[2], 1],
      [[0, 2], 1],
    ] as const) {
      const it = subject();
      const held = runs(it, 5);
      release(
        it,
        before.map((index) => held[index] as Held),
      );
      it.allocator.giveBack();
      const absent = it.absentPages();
      release(it, [held[freed] as Held]);
      expect(it.absentPages()).toBe(absent);
      // The middle of it is there, and is given back the next time.
      expect(it.allocator.giveBack()).toBe(long);
      expect(it.absentPages()).toBe(absent + 20);
      runs(it, 3);
      it.oracle.verify();
      expect(it.absentPages()).toBeLessThan(absent);
    }
  });

  test('that is retained is never given back, nor are blocks of metadata', () => {
    const it = subject();
    const table = it.oracle.allocate(0, long) as Held;
    it.allocator.retain(table.ref);
    const block = it.oracle.allocate(0, 100) as Held;
    release(it, [table, block]);
    const pages = freePages(it);
    const given = it.allocator.giveBack();
    expect(given).toBeLessThanOrEqual((pages - 24) * page);
    for (const { ref } of [table, block]) expect(it.region.isAbsent(0, ref >> 6)).toBe(false);
    expect(it.allocator.giveBack()).toBe(0);
    // Also not when it has been data since.
    const all = runs(it, Math.floor(pages / 20));
    release(it, all);
    it.allocator.giveBack();
    for (const { ref } of [table, block]) expect(it.region.isAbsent(0, ref >> 6)).toBe(false);
    it.oracle.verify();
  });

  test('goes again after someone filled the holes', () => {
    const it = subject();
    const given = it.allocator.giveBack();
    it.allocator.leave();
    it.region.close();
    it.region.fillHoles();
    const region = it.region.reopened();
    const again = openAllocator(region);
    expect(again.stats().givenBackBytes).toBe(0);
    expect(again.giveBack(4 * page)).toBe(given);
    expect(again.stats().givenBackBytes).toBe(given);
    expect(again.giveBack()).toBe(0);
    expect(again.check()).toEqual([]);
  });

  test('of a segment that another owner has locked is passed over', () => {
    const it = subject([2 * mib, 2 * mib]);
    runs(it, 1, 1900 * kib);
    runs(it, 1, 400 * kib);
    const { words } = it.region.segments[1] as Segment;
    const before = words[segmentLockWord] as number;
    words[segmentLockWord] = (1 << 7) | 6;
    const given = it.allocator.giveBack();
    words[segmentLockWord] = before;
    expect(it.allocator.giveBack()).toBeGreaterThan(given);
    it.oracle.verify();
  });

  test('is not given back by onlookers, nor where nothing can be', () => {
    const it = subject();
    const looker = openAllocator(it.region.inspected());
    expect(codeOf(() => looker.giveBack())).toBe('read_only');
    expect(codeOf(() => looker.retain(64))).toBe('read_only');
    expect(codeOf(() => it.allocator.retain(64))).toBe('foreign_reference');
    for (const minBytes of [0, -1, Number.NaN])
      expect(codeOf(() => it.allocator.giveBack(minBytes))).toBe('invalid_argument');
  });
});

describe('when the system has no memory', () => {
  test('what is there is handed out, and nothing else', () => {
    const it = subject();
    const held = runs(it, 8);
    release(it, [held[1] as Held]);
    it.allocator.giveBack();
    release(it, [held[4] as Held]);
    it.region.setFull(true);
    expect(runs(it, 1)[0]?.ref).toBe((held[4] as Held).ref);
    const { usedBytes, failures } = it.allocator.stats();
    for (const [kind, sizeBytes] of [
      [3, long],
      [3, page + 1],
      [1, 64],
      [0, 3 * page],
    ] as const) {
      expect(it.oracle.allocate(kind, sizeBytes)).toBe(undefined);
    }
    expect(it.allocator.explain(3, long).reason).toBe('memory');
    expect(it.allocator.stats()).toMatchObject({ usedBytes, failures: failures + 4 });
    it.oracle.verify();
    it.region.setFull(false);
    expect(it.oracle.allocate(3, long)).toBeDefined();
    expect(it.allocator.explain(3, long).reason).toBe('none');
    expect(it.oracle.allocate(1, 64)).toBeDefined();
    it.oracle.verify();
    it.absentPages();
  });

  test('what comes free makes room for what is wanted', () => {
    const it = subject();
    const held = runs(it, 8);
    release(it, [held[1] as Held, held[4] as Held]);
    it.allocator.giveBack();
    it.region.setFull(true);
    // It lies between two that are absent, as one run with them.
    it.oracle.allocate(3, it.allocator.stats().freeBytes - 2 * long);
    release(it, [held[2] as Held]);
    const absent = it.absentPages();
    expect(it.oracle.allocate(3, long)).toBeDefined();
    expect(it.absentPages()).toBe(absent);
    expect(it.oracle.allocate(3, long)).toBe(undefined);
    it.oracle.verify();
  });

  test('another segment serves', () => {
    const it = subject([2 * mib, 2 * mib]);
    const [first] = runs(it, 1, 1800 * kib);
    runs(it, 1, 300 * kib);
    release(it, [first as Held]);
    it.allocator.giveBack(1700 * kib);
    it.region.setFull(true);
    const [ref] = runs(it, 1);
    expect((ref as Held).ref >> (it.region.segmentShift - 6)).toBe(1);
    it.oracle.verify();
  });

  test('what takes memory again and fails changes nothing', () => {
    const it = subject();
    runs(it, 1);
    it.allocator.giveBack();
    it.region.takeAgain = () => {
      throw new Error('the disk is gone');
    };
    const { usedBytes } = it.allocator;
    expect(() => it.allocator.allocate(3, long)).toThrow('the disk is gone');
    expect(it.allocator.usedBytes).toBe(usedBytes);
    expect(it.allocator.check()).toEqual([]);
    it.region.giveBack = () => {
      throw new Error('the disk is gone too');
    };
    const held = runs(it, 0);
    expect(held).toEqual([]);
    it.oracle.freeAll();
    expect(() => it.allocator.giveBack()).toThrow('the disk is gone too');
    expect(it.allocator.check()).toEqual([]);
  });
});

/** /dev/shm is a tmpfs, where punching holes always works; the temporary folder may be anything. */
function memoryFolder(): string {
  const base = readdirSync('/dev').includes('shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(base, 'cenote-alloc-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'pool');
}

function allocatedBytes(folder: string): number {
  const segments = readdirSync(folder).filter((name) => name.startsWith('segment-'));
  return segments.reduce((sum, name) => sum + statSync(join(folder, name)).blocks * 512, 0);
}

test('a mapped pool is as large on disk as what it holds, and grows again', () => {
  const folder = memoryFolder();
  const options = { capacityBytes: 64 * mib, segmentBytes: 16 * mib, ...identity };
  const open = (): Region => openMappedRegion(folder, 'own', options);
  const region = open();
  const oracle = new Oracle(createAllocator(region));
  while (oracle.allocate(3, 300 * kib) !== undefined);
  for (let i = 0; i < oracle.held.length; i++) oracle.keep(i);
  const full = allocatedBytes(folder);
  expect(full).toBe(64 * mib);
  const count = oracle.held.length;
  for (let i = count - 1; i >= 0; i -= 2) oracle.free(i);
  oracle.allocator.flush();
  const given = oracle.allocator.giveBack();
  expect(given).toBeGreaterThan(28 * mib);
  expect(allocatedBytes(folder)).toBe(full - given);
  oracle.verify();
  expect(allocatedBytes(folder)).toBe(full - given); // nobody has looked at what is free
  while (oracle.allocate(3, 300 * kib) !== undefined);
  expect(oracle.held.length).toBe(count);
  expect(allocatedBytes(folder)).toBeGreaterThan(full - mib);
  oracle.verify();
  region.close();
});

test.skipIf(!mayMount)(
  'a full file system: what is there serves, and there is no fault',
  async () => {
    const base = tinyFileSystem(12 * mib) as string;
    const script = fileURLToPath(new URL('fixtures/full-system.mjs', import.meta.url));
    const child = fork(script, [join(base, 'pool'), join(base, 'filler')], { execArgv: [] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const gone = once(child, 'exit');
    let said: Record<string, unknown> = {};
    child.on('message', (message) => (said = message as typeof said));
    expect(await gone).toEqual([0, null]);
    expect(said).toMatchObject({ whenFull: 0, blockWhenFull: 0, afterFree: 2, faults: [] });
    expect(said['givenBytes']).toBeGreaterThan(4 * mib);
    expect(said['whenEmpty']).toBe((said['all'] as number) - 4);
  },
);
