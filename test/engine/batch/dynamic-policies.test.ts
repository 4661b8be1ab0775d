/** What Triton’s documentation of its dynamic batcher promises of priorities, and of time in a queue, case by case. */

import { describe, expect, test } from 'vitest';
import type { DynamicOptions } from '../../../src/engine/batch/api.ts';
import { DynamicWorld } from './dynamic-world.ts';

let world: DynamicWorld;

function open(options: Partial<DynamicOptions<string, string>> = {}): void {
  world = new DynamicWorld(options);
}

describe('priority levels', () => {
  test('the more urgent go first, in the order of arrival within a level', async () => {
    open({ batchMax: 2, priorityLevels: 3, defaultPriority: 2 });
    world.submit('x');
    await world.time.settle();
    world.submit('e', { priority: 3 });
    world.submit('c');
    world.submit('a', { priority: 1 });
    world.submit('d', { priority: 0 });
    world.submit('b', { priority: 1 });
    for (let i = 0; i < 4; i++) await world.finish();
    expect(world.batches).toEqual(['x', 'ab', 'cd', 'e']);
  });

  test('have policies of their own; what they leave open is as in the default', async () => {
    open({
      batchMax: 1,
      priorityLevels: 2,
      defaultQueuePolicy: { timeoutMs: 10, queueMax: 2 },
      priorityQueuePolicies: { 1: { timeoutMs: 20 } },
    });
    world.submit('x');
    await world.time.settle();
    world.submit('ab', { priority: 1 });
    world.submit('cd', { priority: 2 });
    world.submit('e', { priority: 1 });
    await world.time.settle();
    expect(world.told).toEqual(['e: engine_busy']);
    await world.time.advance(10);
    expect(world.told.slice(1)).toEqual(['c: engine_deadline', 'd: engine_deadline']);
    await world.time.advance(10);
    expect(world.told.slice(3)).toEqual(['a: engine_deadline', 'b: engine_deadline']);
  });

  test('a level that there is not is refused', async () => {
    open({ priorityLevels: 2 });
    world.submit('a', { priority: 3 });
    await world.time.settle();
    expect(world.told).toEqual(['a: invalid_argument']);
  });
});

describe('timeouts in the queue', () => {
  test('reject: refused at that very time, and never run', async () => {
    open({ batchMax: 1, defaultQueuePolicy: { timeoutMs: 10 } });
    world.submit('x');
    await world.time.settle();
    world.submit('a');
    await world.time.advance(9);
    expect(world.told).toEqual([]);
    await world.time.advance(1);
    expect(world.told).toEqual(['a: engine_deadline']);
    await world.finish();
    expect(world.batches).toEqual(['x']);
  });

  test('delay: behind all of its level that are in time, and run in the end', async () => {
    open({ batchMax: 1, defaultQueuePolicy: { timeoutMs: 10, timeoutAction: 'delay' } });
    world.submit('x');
    await world.time.settle();
    world.submit('ab');
    await world.time.advance(10);
    world.submit('cd');
    for (let i = 0; i < 5; i++) await world.finish();
    expect(world.batches).toEqual([...'xcdab']);
    expect(world.told).toEqual([...'xcdab']);
  });

  test('delay: still before the less urgent', async () => {
    open({
      batchMax: 1,
      priorityLevels: 2,
      priorityQueuePolicies: { 1: { timeoutMs: 10, timeoutAction: 'delay' } },
    });
    world.submit('x');
    await world.time.settle();
    world.submit('b', { priority: 2 });
    world.submit('a', { priority: 1 });
    await world.time.advance(10);
    for (let i = 0; i < 3; i++) await world.finish();
    expect(world.batches).toEqual([...'xab']);
  });

  test('delay: who is late can give up, and the others are served', async () => {
    open({ batchMax: 1, defaultQueuePolicy: { timeoutMs: 10, timeoutAction: 'delay' } });
    const giveUp = new AbortController();
    world.submit('x');
    await world.time.settle();
    world.submit('a', { signal: giveUp.signal });
    world.submit('b');
    await world.time.advance(10);
    giveUp.abort();
    for (let i = 0; i < 2; i++) await world.finish();
    expect(world.told).toEqual(['a: aborted', 'x', 'b']);
  });

  test('delay: whoever is over at that very time has gone by then, and keeps no place for another of its tenant', async () => {
    open({ batchMax: 1, defaultQueuePolicy: { timeoutMs: 10, timeoutAction: 'delay' } });
    await world.arrive('x');
    world.submit('a', { tenant: 'b', deadlineMs: world.time.nowMs() + 11 });
    await world.time.advance(1);
    world.submit('c');
    world.submit('b', { tenant: 'b' });
    await world.time.advance(10);
    for (let i = 0; i < 3; i++) await world.finish();
    expect(world.told).toEqual(['a: engine_deadline', 'x', 'c', 'b']);
  });

  test('overrides only shorten, where they are allowed', async () => {
    open({ batchMax: 1, defaultQueuePolicy: { timeoutMs: 10, allowTimeoutOverride: true } });
    world.submit('x');
    await world.time.settle();
    world.submit('a', { queueTimeoutMs: 4 });
    world.submit('b', { queueTimeoutMs: 40 });
    await world.time.advance(4);
    expect(world.told).toEqual(['a: engine_deadline']);
    await world.time.advance(6);
    expect(world.told).toEqual(['a: engine_deadline', 'b: engine_deadline']);
  });

  test('overrides are not heard where they are not allowed', async () => {
    open({ batchMax: 1, defaultQueuePolicy: { timeoutMs: 10 } });
    world.submit('x');
    await world.time.settle();
    world.submit('a', { queueTimeoutMs: 4 });
    await world.time.advance(9);
    expect(world.told).toEqual([]);
  });

  test('time in a batch does not count', async () => {
    open({ defaultQueuePolicy: { timeoutMs: 10 } });
    world.submit('a');
    await world.time.advance(50);
    await world.finish();
    expect(world.told).toEqual(['a']);
  });
});
