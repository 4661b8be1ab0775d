/** A reserve is kept free by moving cold parts to the disk; nothing is lost as long as it keeps up, and what is lost is counted. */

import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openMappedRegion } from '../../src/memory/mapped.ts';
import type { Pool } from '../../src/pool/api.ts';
import { Pen } from '../../src/store/pen.ts';
import {
  expectSound,
  filled,
  freshPath,
  mib,
  pool,
  refuses,
  testClock,
} from '../pool/support/pools.ts';
import { loaded } from './support/pools.ts';
import { until } from '../support/until.ts';

const capacityBytes = 16 * mib;
const reserveBytes = 4 * mib;
const partBytes = 64 * 1024;
const count = 400;
const turnsMax = 10_000;

async function demotingPool(maxBytes?: number): Promise<Pool> {
  const disk = { reserveBytes, ...(maxBytes !== undefined && { maxBytes }) };
  return pool({ path: freshPath(), capacityBytes, tiers: { disk }, clock: testClock() });
}

function name(i: number): string {
  return `context-${i}`;
}

/** Waits until the reserve is there again. */
async function settled(of: Pool): Promise<void> {
  for (let i = 0; i < turnsMax && isShort(of); i++) for (let j = 0; j < 10; j++) await turn();
}

function isShort(of: Pool): boolean {
  const { memory } = of.stats();
  return capacityBytes - memory.metadataBytes - memory.liveBytes < reserveBytes * (3 / 4);
}

/** Writes more than memory takes, and leaves the demoter time, as a server does that waits for its sockets. */
async function write(of: Pool, parts: number): Promise<void> {
  for (let i = 0; i < parts; i++) {
    of.put(name(i), 'p', filled(partBytes, i));
    await settled(of);
  }
}

describe('a pool that demotes', () => {
  it('takes more than memory holds and loses nothing', async () => {
    const of = await demotingPool();
    await write(of, count);
    const { operations, disk } = of.stats();
    expect(operations.evictions).toBe(0);
    expect(operations.demotions).toBeGreaterThan(count / 3);
    expect(disk).toMatchObject({ lagged: 0, corrupt: 0 });
    for (let i = 0; i < count; i++) {
      expect((await loaded(of, name(i), 'p'))?.equals(filled(partBytes, i)), name(i)).toBe(true);
    }
    expectSound(of);
  });

  it('lets the coldest go first, and never what is pinned or leased', async () => {
    const of = await demotingPool();
    of.put('pinned', 'p', filled(partBytes, 1), { pinned: true });
    of.put('leased', 'p', filled(partBytes, 2));
    of.put('hot', 'p', filled(partBytes, 3));
    using lease = of.get('leased', 'p');
    for (let i = 0; i < count; i++) {
      of.put(name(i), 'p', filled(partBytes, i));
      of.get('hot', 'p')?.release();
      await settled(of);
    }
    expect(lease?.sizeBytes).toBe(partBytes);
    expect(['pinned', 'leased', 'hot'].map((id) => of.where(id, 'p'))).toEqual([
      'hot',
      'hot',
      'hot',
    ]);
    expect(of.stats().operations.demotions).toBeGreaterThan(0);
    expect(of.where(name(0), 'p')).not.toBe('hot');
  });

  it('does not write again what has not changed since it came back', async () => {
    const of = await demotingPool();
    await write(of, count);
    for (let i = 0; i < count; i++) {
      (await of.load(name(i), 'p'))?.release();
      await settled(of);
    }
    const { disk } = of.stats();
    expect(disk?.promoted).toBeGreaterThan(count / 2);
    expect(disk?.persisted).toBeLessThanOrEqual(count);
  });

  it('evicts where the disk is full, says so, and goes on', async () => {
    const of = await demotingPool(2 * mib);
    for (let i = 0; i < count; i++) {
      of.put(name(i), 'p', filled(partBytes, i));
      await turn();
    }
    const { operations, disk } = of.stats();
    expect(operations.evictions).toBeGreaterThan(0);
    expect(disk?.lagged).toBeGreaterThan(0);
    expect(disk?.usedBytes).toBeLessThanOrEqual(2 * mib);
    of.put('after', 'p', 'still works');
    expect(of.get('after', 'p')?.text()).toBe('still works');
    expectSound(of);
  });

  it('never makes a put wait: one that finds no memory evicts, in the same turn', async () => {
    const of = await demotingPool();
    // Without a turn of the event loop nothing can be written.
    for (let i = 0; i < count; i++) of.put(name(i), 'p', filled(partBytes, i));
    const { operations, disk } = of.stats();
    expect(operations.evictions).toBeGreaterThan(0);
    expect(disk?.lagged).toBe(operations.evictions);
    expect(operations.demotions).toBe(0);
  });

  it('keeps what was replaced, pinned or leased while it was written', async () => {
    let isWriting = false;
    let isWritten = false;
    const onStep = (step: string): void => {
      isWriting ||= step === 'demote:chosen';
      isWritten ||= step === 'demote:written';
    };
    const tiers = { disk: { reserveBytes, onStep } };
    const of = await pool({ path: freshPath(), capacityBytes, tiers, clock: testClock() });
    const parts = Math.ceil((capacityBytes - reserveBytes / 2) / partBytes);
    let written = 0;
    for (; written < parts && !isWriting; written++) {
      of.put(name(written), 'p', filled(partBytes, written));
    }
    expect(isWriting).toBe(true);
    // All of them may be on their way now, and none of them may go.
    using lease = of.get(name(0), 'p');
    for (let i = 1; i < written; i++) {
      if (i % 2 === 0) of.pin(name(i));
      else of.put(name(i), 'p', filled(partBytes, i + 1));
    }
    await until(() => isWritten);
    await turn();
    expect(lease?.sizeBytes).toBe(partBytes);
    for (let i = 0; i < written; i += 2) expect(of.where(name(i), 'p'), name(i)).toBe('hot');
    for (let i = 1; i < written; i += 2) {
      const bytes = await loaded(of, name(i), 'p');
      expect(bytes?.equals(filled(partBytes, i + 1)), name(i)).toBe(true);
    }
    expectSound(of);
  });

  describe('while another owner keeps the pen', () => {
    it('ends its round, and tries again with the next look', async () => {
      const { of, pen, written } = await withheld();
      const loading = of.load('nowhere', 'p');
      await until(written);
      pen.give();
      expect(await loading).toBeUndefined();
      expect(of.stats().operations.demotions).toBe(0);
      await write(of, count);
      expect(of.stats().operations.demotions).toBeGreaterThan(0);
      expectSound(of);
    });

    it('ends no process', async () => {
      const unhandled: unknown[] = [];
      const note = (reason: unknown): void => void unhandled.push(reason);
      process.on('unhandledRejection', note);
      onTestFinished(() => void process.off('unhandledRejection', note));
      const { pen, written } = await withheld();
      await until(written);
      pen.give();
      // Node tells of it when the microtasks are done.
      await turn();
      expect(unhandled).toEqual([]);
    });

    it('closes', async () => {
      const { of, pen, written } = await withheld();
      const closing = of.close();
      await until(written);
      pen.give();
      await closing;
      refuses(() => of.put('a', 'p', 'x'), 'pool_closed');
    });
  });
});

/** A pool whose first round finds the pen in another owner's hand when its parts are to be written. */
async function withheld(): Promise<{
  readonly of: Pool;
  readonly pen: Pen;
  readonly written: () => boolean;
}> {
  const path = freshPath();
  let pen: Pen | undefined;
  let isWritten = false;
  const onStep = (step: string): void => {
    if (step === 'demote:written') isWritten = true;
    if (step !== 'demote:chosen' || pen !== undefined) return;
    const region = openMappedRegion(path, 'join');
    onTestFinished(() => region.close());
    pen = new Pen(region);
    pen.withhold();
  };
  const tiers = { disk: { reserveBytes, onStep } };
  const of = await pool({ path, capacityBytes, tiers, clock: testClock(), lockWaitMs: 0 });
  for (let i = 0; i < count && pen === undefined; i++) of.put(name(i), 'p', filled(partBytes, i));
  if (pen === undefined) throw new Error('nothing was demoted');
  return { of, pen, written: () => isWritten };
}
