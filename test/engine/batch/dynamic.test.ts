/** What Triton's documentation of its dynamic batcher promises, case by case. */

import { describe, expect, test } from 'vitest';
import type { DynamicOptions } from '../../../src/engine/batch/api.ts';
import { DynamicWorld } from './dynamic-world.ts';

let world: DynamicWorld;

function open(options: Partial<DynamicOptions<string, string>> = {}): void {
  world = new DynamicWorld(options);
}

describe('batches', () => {
  test('are as large as they can be when an instance is free, in the order of arrival', async () => {
    open({ batchMax: 4 });
    world.submit('a');
    await world.time.settle();
    world.submit('bcdefg');
    await world.time.settle();
    expect(world.batches).toEqual(['a']);
    await world.finish();
    expect(world.batches).toEqual(['a', 'bcde']);
    await world.finish();
    expect(world.batches).toEqual(['a', 'bcde', 'fg']);
    await world.finish();
    expect(world.told).toEqual([...'abcdefg']);
  });

  test('of what comes in one turn of the event loop go together', async () => {
    open();
    world.submit('a');
    await Promise.resolve();
    world.submit('b');
    await world.time.settle();
    expect(world.batches).toEqual(['ab']);
  });

  test('run on so many instances at once, and no more', async () => {
    open({ batchMax: 1, instances: 2 });
    world.submit('abc');
    await world.time.settle();
    expect(world.model.running.map(({ instance }) => instance)).toEqual([0, 1]);
    world.model.finish(undefined, 1);
    await world.time.settle();
    expect(world.model.running.map(({ instance }) => instance)).toEqual([0, 1]);
    expect(world.batches).toEqual(['a', 'b', 'c']);
    expect(world.told).toEqual(['b']);
  });

  test('count rows, not requests, and end before the one that does not fit', async () => {
    open({ batchMax: 4 });
    world.submit('ab', { rows: 3 });
    world.submit('c', { rows: 1 });
    await world.time.settle();
    expect(world.batches).toEqual(['a']);
    await world.finish();
    expect(world.batches).toEqual(['a', 'bc']);
    expect(world.batcher.stats()).toMatchObject({ batches: 2, rows: 7 });
  });
});

describe('preferred batch sizes', () => {
  test('the largest that can be made is made', async () => {
    open({ batchMax: 16, preferredBatchSizes: [8, 4], instances: 3 });
    world.submit('abcdefghijklmn');
    await world.time.settle();
    expect(world.batches).toEqual(['abcdefgh', 'ijkl', 'mn']);
  });

  test('a larger batch is not made instead', async () => {
    open({ batchMax: 8, preferredBatchSizes: [4] });
    world.submit('abcdefgh');
    await world.time.settle();
    expect(world.batches).toEqual(['abcd']);
  });

  test('where none can be made, as many go as fit', async () => {
    open({ batchMax: 8, preferredBatchSizes: [4] });
    world.submit('abc');
    await world.time.settle();
    expect(world.batches).toEqual(['abc']);
  });

  test('are of rows', async () => {
    open({ batchMax: 8, preferredBatchSizes: [4] });
    world.submit('a', { rows: 3 });
    world.submit('bcd', { rows: 2 });
    await world.time.settle();
    expect(world.batches).toEqual(['abc']);
  });
});

describe('queue delay', () => {
  test('a batch waits for others as long as the first of it may wait, to the millisecond', async () => {
    open({ queueDelayMs: 10 });
    world.submit('a');
    await world.time.advance(6);
    world.submit('b');
    await world.time.advance(3);
    expect(world.batches).toEqual([]);
    await world.time.advance(1);
    expect(world.batches).toEqual(['ab']);
  });

  test('the largest size goes at once', async () => {
    open({ batchMax: 4, queueDelayMs: 10 });
    world.submit('abc');
    await world.time.advance(1);
    world.submit('d');
    await world.time.settle();
    expect(world.batches).toEqual(['abcd']);
  });

  test('a preferred size goes at once, the rest waits on', async () => {
    open({ preferredBatchSizes: [4], queueDelayMs: 10, instances: 2 });
    world.submit('abcde');
    await world.time.settle();
    expect(world.batches).toEqual(['abcd']);
    await world.time.advance(10);
    expect(world.batches).toEqual(['abcd', 'e']);
  });

  test('counts from arrival, not from when an instance became free', async () => {
    open({ batchMax: 2, queueDelayMs: 10 });
    world.submit('ab');
    await world.time.settle();
    world.submit('c');
    await world.time.advance(9);
    await world.finish();
    expect(world.batches).toEqual(['ab']);
    await world.time.advance(1);
    expect(world.batches).toEqual(['ab', 'c']);
  });

  test('the one who waits longest counts, also behind somebody more urgent', async () => {
    open({ priorityLevels: 2, queueDelayMs: 10 });
    world.submit('b', { priority: 2 });
    await world.time.advance(8);
    world.submit('a', { priority: 1 });
    await world.time.advance(2);
    expect(world.batches).toEqual(['ab']);
  });

  test('nobody is waited for while draining', async () => {
    open({ queueDelayMs: 10 });
    world.submit('a');
    await world.time.settle();
    void world.batcher.drain();
    await world.time.settle();
    expect(world.batches).toEqual(['a']);
  });
});

describe('maximum queue size', () => {
  test('one more is refused with engine_busy, and there is room again when one has left', async () => {
    open({ batchMax: 1, defaultQueuePolicy: { queueMax: 2 } });
    world.submit('x');
    await world.time.settle();
    world.submit('abc');
    await world.time.settle();
    expect(world.told).toEqual(['c: engine_busy']);
    await world.finish();
    world.submit('d');
    await world.time.settle();
    expect(world.batcher.stats()).toMatchObject({ queued: 2, refused: 1, accepted: 4 });
  });

  test('who was delayed counts too', async () => {
    open({
      batchMax: 1,
      defaultQueuePolicy: { queueMax: 1, timeoutMs: 5, timeoutAction: 'delay' },
    });
    world.submit('x');
    await world.time.settle();
    world.submit('a');
    await world.time.advance(5);
    world.submit('b', { tenant: 'b' });
    await world.time.settle();
    expect(world.told).toEqual(['b: engine_busy']);
  });
});

describe('preserve ordering', () => {
  test('answers come in the order of the requests, whoever is ready first', async () => {
    open({ batchMax: 1, instances: 3, preserveOrdering: true });
    world.submit('abc');
    await world.time.settle();
    world.model.finish(undefined, 2);
    world.model.finish([new Error('broken')], 1);
    await world.time.settle();
    expect(world.told).toEqual([]);
    expect(world.batcher.stats()).toMatchObject({ held: 2, running: 1 });
    await world.finish();
    expect(world.told).toEqual(['a', 'b: Error: broken', 'c']);
  });

  test('refusals do not wait, and nobody waits for them', async () => {
    open({ batchMax: 1, instances: 2, preserveOrdering: true });
    const giveUp = new AbortController();
    world.submit('a', { signal: giveUp.signal });
    world.submit('b');
    await world.time.settle();
    world.model.finish(undefined, 1);
    await world.time.settle();
    expect(world.told).toEqual([]);
    giveUp.abort();
    await world.time.settle();
    expect(world.told).toEqual(['a: aborted', 'b']);
  });

  test('an answer that waits can be given up', async () => {
    open({ batchMax: 1, instances: 2, preserveOrdering: true });
    const giveUp = new AbortController();
    world.submit('a');
    world.submit('b', { signal: giveUp.signal });
    await world.time.settle();
    world.model.finish(undefined, 1);
    await world.time.settle();
    giveUp.abort();
    await world.finish();
    expect(world.told).toEqual(['b: aborted', 'a']);
    expect(world.batcher.stats()).toMatchObject({ held: 0, completed: 1, cancelled: 1 });
  });

  test('answers that wait take room in the queue', async () => {
    open({
      batchMax: 1,
      instances: 2,
      preserveOrdering: true,
      defaultQueuePolicy: { queueMax: 2 },
    });
    world.submit('ab');
    await world.time.settle();
    world.model.finish(undefined, 1);
    world.submit('c');
    await world.time.settle();
    world.model.finish(undefined, 1);
    await world.time.settle();
    world.submit('d');
    await world.time.settle();
    expect(world.told).toEqual(['d: engine_busy']);
  });

  test('does not go with several levels of priority', () => {
    const both = { preserveOrdering: true, priorityLevels: 2 };
    expect(() => open(both)).toThrow(/exclude each other/);
  });
});
