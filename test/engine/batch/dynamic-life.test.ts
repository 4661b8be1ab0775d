/** Giving up, deadlines, failures, fairness between tenants, the end; and the counters, which add up at any moment. */

import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { DynamicStats } from '../../../src/engine/batch/api.ts';
import { DynamicBatcher } from '../../../src/engine/batch/dynamic-batcher.ts';
import { DynamicWorld } from './dynamic-world.ts';

function addUp({ accepted, completed, failed, ...rest }: DynamicStats): boolean {
  const over = completed + failed + rest.expired + rest.cancelled;
  return accepted === over + rest.queued + rest.running + rest.held;
}

describe('giving up', () => {
  test('before it begins: nothing is queued', async () => {
    const world = new DynamicWorld();
    await world.arrive('a', { signal: AbortSignal.abort('enough') });
    expect(world.told).toEqual(['a: aborted']);
    expect(world.batcher.stats()).toMatchObject({ accepted: 0, queued: 0 });
  });

  test('in the queue: it never runs, and its place is free', async () => {
    const world = new DynamicWorld({ batchMax: 1, defaultQueuePolicy: { queueMax: 1 } });
    await world.arrive('x');
    const giveUp = new AbortController();
    await world.arrive('a', { signal: giveUp.signal });
    giveUp.abort();
    await world.arrive('b');
    await world.finish();
    expect(world.told).toEqual(['a: aborted', 'x']);
    expect(world.batches).toEqual(['x', 'b']);
  });

  test('in a batch: told at once, the model sees it, the answer is dropped, the others have theirs', async () => {
    const world = new DynamicWorld();
    const giveUp = new AbortController();
    world.submit('a', { signal: giveUp.signal });
    await world.arrive('b');
    giveUp.abort();
    await world.time.settle();
    expect(world.told).toEqual(['a: aborted']);
    expect(world.model.running[0]?.batch.map(({ cancelled }) => cancelled)).toEqual([true, false]);
    await world.finish();
    expect(world.told).toEqual(['a: aborted', 'b']);
    expect(world.batcher.stats()).toMatchObject({ completed: 1, cancelled: 1 });
  });

  test('afterwards: nothing happens, and the signal keeps nothing alive', async () => {
    const world = new DynamicWorld();
    const giveUp = new AbortController();
    await world.arrive('a', { signal: giveUp.signal });
    expect(getEventListeners(giveUp.signal, 'abort')).toHaveLength(1);
    await world.finish();
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([]);
    giveUp.abort();
    await world.time.settle();
    expect(world.told).toEqual(['a']);
  });
});

describe('deadlines', () => {
  test('in the queue: refused at that very time, whatever the policy says of timeouts', async () => {
    const policy = { timeoutMs: 5, timeoutAction: 'delay' } as const;
    const world = new DynamicWorld({ batchMax: 1, defaultQueuePolicy: policy });
    await world.arrive('x');
    await world.arrive('a', { deadlineMs: 12 });
    await world.time.advance(11);
    expect(world.told).toEqual([]);
    await world.time.advance(1);
    expect(world.told).toEqual(['a: engine_deadline']);
  });

  test('in a batch: told at that very time, the answer is dropped', async () => {
    const world = new DynamicWorld();
    await world.arrive('a', { deadlineMs: 12 });
    await world.time.advance(12);
    expect(world.told).toEqual(['a: engine_deadline']);
    await world.finish();
    expect(world.batcher.stats()).toMatchObject({ expired: 1, completed: 0 });
  });

  test('that are over already: refused, and never queued', async () => {
    const world = new DynamicWorld();
    await world.time.advance(5);
    await world.arrive('a', { deadlineMs: 5 });
    expect(world.told).toEqual(['a: engine_deadline']);
    expect(world.batcher.stats()).toMatchObject({ accepted: 0, refused: 1 });
  });
});

describe('a model that fails', () => {
  test('fails its batch, and the next goes on', async () => {
    const world = new DynamicWorld({ batchMax: 2 });
    await world.arrive('abc');
    world.model.fail(new Error('broken'));
    await world.time.settle();
    await world.finish();
    expect(world.told).toEqual(['a: Error: broken', 'b: Error: broken', 'c']);
  });

  test('without an error is engine_failed', async () => {
    const world = new DynamicWorld();
    await world.arrive('a');
    world.model.fail('no reason');
    await world.time.settle();
    expect(world.told).toEqual(['a: engine_failed']);
  });

  test('with answers that are not as many as the requests fails them all', async () => {
    const world = new DynamicWorld();
    await world.arrive('ab');
    await world.finish(['a']);
    expect(world.told).toEqual(['a: engine_failed', 'b: engine_failed']);
  });

  test('with one request refuses that one alone', async () => {
    const world = new DynamicWorld();
    await world.arrive('abc');
    await world.finish(['a', new Error('odd'), 'c']);
    expect(world.told).toEqual(['a', 'b: Error: odd', 'c']);
  });

  test('before it returns a promise fails its batch too', async () => {
    const world = new DynamicWorld({
      execute: () => {
        throw new Error('at once');
      },
    });
    await world.arrive('a');
    expect(world.told).toEqual(['a: Error: at once']);
  });
});

describe('tenants', () => {
  test('take turns, however much one of them has queued', async () => {
    const world = new DynamicWorld({ batchMax: 4 });
    await world.arrive('x');
    world.submit('aaaaaaaa', { tenant: 'a' });
    world.submit('bb', { tenant: 'b' });
    await world.arrive('c', { tenant: 'c' });
    for (let i = 0; i < 4; i++) await world.finish();
    expect(world.batches).toEqual(['x', 'abca', 'baaa', 'aaa']);
  });

  test('leave each other room in the queue', async () => {
    const defaultQueuePolicy = { queueMax: 4, tenantQueueMax: 2 };
    const world = new DynamicWorld({ batchMax: 1, defaultQueuePolicy });
    await world.arrive('x');
    world.submit('abc', { tenant: 'a' });
    await world.arrive('de', { tenant: 'b' });
    expect(world.told).toEqual(['c: engine_busy']);
    await world.arrive('f', { tenant: 'c' });
    expect(world.told).toEqual(['c: engine_busy', 'f: engine_busy']);
    await world.finish();
    await world.arrive('g', { tenant: 'a' });
    expect(world.batcher.stats().queued).toBe(4);
  });

  test('pay by the row', async () => {
    const world = new DynamicWorld({ batchMax: 4, fairRows: 4 });
    await world.arrive('x');
    world.submit('aaa', { tenant: 'a', rows: 4 });
    await world.arrive('bbbbbbbb', { tenant: 'b' });
    for (let i = 0; i < 6; i++) await world.finish();
    expect(world.batches).toEqual(['x', 'a', 'bbbb', 'a', 'bbbb', 'a']);
  });
});

describe('the end', () => {
  test('draining takes in no more, and is over when all that was taken in is', async () => {
    const world = new DynamicWorld({ batchMax: 1 });
    await world.arrive('ab');
    let drained = false;
    void world.batcher.drain().then(() => (drained = true));
    await world.arrive('c');
    await world.finish();
    expect(drained).toBe(false);
    await world.finish();
    expect(drained).toBe(true);
    expect(world.told).toEqual(['c: shutting_down', 'a', 'b']);
  });

  test('draining what is empty is over at once', async () => {
    const world = new DynamicWorld();
    let drained = false;
    void world.batcher.drain().then(() => (drained = true));
    await world.time.settle();
    expect(drained).toBe(true);
  });

  test('closing refuses what waits and what runs, and is over when nothing runs', async () => {
    const world = new DynamicWorld({ batchMax: 1 });
    await world.arrive('ab');
    let closed = false;
    void world.batcher.close().then(() => (closed = true));
    await world.arrive('c');
    expect(world.told).toEqual(['b: engine_closed', 'a: engine_closed', 'c: engine_closed']);
    expect(closed).toBe(false);
    await world.finish();
    expect(closed).toBe(true);
    expect(world.time.nextMs).toBe(Infinity);
  });
});

test('counter drift (triton server #8870): timeouts and merged batches cost no instance, and throughput stays', async () => {
  const world = new DynamicWorld({
    batchMax: 4,
    instances: 3,
    queueDelayMs: 2,
    defaultQueuePolicy: { timeoutMs: 6, queueMax: 64 },
  });
  const { batcher, model, time } = world;
  for (let round = 0; round < 300; round++) {
    world.submit('abcdefghijklmnop'.slice(0, 1 + (round % 16)));
    await time.advance(1 + (round % 5));
    if (model.running.length > 0 && round % 3 !== 0) await world.finish();
    expect(addUp(batcher.stats())).toBe(true);
    expect(batcher.stats().idleInstances).toBe(3 - model.running.length);
  }
  expect(batcher.stats().expired).toBeGreaterThan(100);
  while (model.running.length > 0) await world.finish();
  expect(batcher.stats()).toMatchObject({ queued: 0, running: 0, idleInstances: 3 });
  // As on the first day: three batches at once, all of the largest size.
  const before = world.batches.length;
  await world.arrive('abcdefghijkl');
  expect(world.batches.slice(before)).toEqual(['abcd', 'efgh', 'ijkl']);
});

test('options and requests that make no sense are refused', async () => {
  const { time: timers, model, batcher } = new DynamicWorld();
  const open = (options: object) => () =>
    new DynamicBatcher({ execute: model.execute, batchMax: 4, timers, ...options });
  for (const wrong of [
    { batchMax: 0 },
    { instances: 1.5 },
    { preferredBatchSizes: [5] },
    { queueDelayMs: -1 },
    { priorityLevels: 2, priorityQueuePolicies: { 3: {} } },
    { defaultQueuePolicy: { timeoutAction: 'drop' } },
    { defaultQueuePolicy: { queueMax: 0 } },
    { defaultPriority: 2 },
  ])
    expect(open(wrong), JSON.stringify(wrong)).toThrow(/must be|is reject or delay/);
  for (const wrong of [{ rows: 9 }, { rows: 0 }, { priority: -1 }, { deadlineMs: Number.NaN }])
    await expect(batcher.submit('a', wrong)).rejects.toMatchObject({ code: 'invalid_argument' });
});
