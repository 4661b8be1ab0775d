/** What is the direct strategy’s own of Triton’s sequence batcher, and the oldest strategy’s. */

import { describe, expect, test } from 'vitest';
import type { DirectStrategy, OldestStrategy } from '../../../src/engine/batch/api.ts';
import { type NoteStep, SequenceWorld } from './sequence-world.ts';

const direct: DirectStrategy = { kind: 'direct' };
const oldest: OldestStrategy = { kind: 'oldest', candidatesMax: 4 };

/** What the model is told of each step that is ready. */
const controls = (batch: readonly NoteStep[] | undefined): unknown[] =>
  (batch ?? []).map((step) =>
    step.ready ? [step.id, step.start, step.end, step.slot] : `slot ${step.slot} not ready`,
  );

describe('direct:', () => {
  test('the slot is the place in the batch; slots without a request are not ready', async () => {
    const world = new SequenceWorld();
    world.submit(1, '(a');
    world.submit(2, '(b');
    await world.arrive(3, '(c');
    await world.finish();
    await world.arrive(3, 'd');
    expect(controls(world.model.batches[1])).toEqual([
      'slot 0 not ready',
      'slot 1 not ready',
      [3, false, false, 2],
    ]);
  });

  test('sequences spread over instances and stay there', async () => {
    const world = new SequenceWorld({ instances: 2, batchMax: 2 });
    for (const id of [1, 2, 3]) world.submit(id, '(a');
    await world.time.settle();
    expect(world.model.running.map(({ batch, instance }) => [instance, batch.length])).toEqual([
      [0, 2],
      [1, 1],
    ]);
    await world.finishAll();
    await world.arrive(2, 'b)');
    expect(world.model.running[0]?.instance).toBe(1);
  });

  test('slot utilization: a batch waits for it as long as it may, and no longer', async () => {
    const strategy = { ...direct, queueDelayMs: 10, slotUtilizationMin: 0.5 };
    const world = new SequenceWorld({ strategy });
    await world.arrive(1, '(a');
    await world.time.advance(9);
    expect(world.batches).toEqual([]);
    await world.arrive(2, '(b');
    expect(world.batches).toEqual(['ab']);
    await world.finish();
    await world.arrive(2, 'c');
    await world.time.advance(9);
    expect(world.batches).toEqual(['ab']);
    await world.time.advance(1);
    expect(world.batches).toEqual(['ab', '.c']);
  });
});

describe('oldest:', () => {
  test('so many candidates at a time, the rest waits', async () => {
    const strategy = { ...oldest, candidatesMax: 3 };
    const world = new SequenceWorld({ strategy, batchMax: 2 });
    for (const [index, name] of ['(a', '(b', '(c', '(d'].entries()) world.submit(index, name);
    await world.time.settle();
    expect(world.batches).toEqual(['ab']);
    expect(world.batcher.stats()).toMatchObject({ slotsTaken: 3, backlog: 1, queued: 2 });
    await world.finish();
    expect(world.batches).toEqual(['ab', 'c']);
  });

  test('preferred sizes and queue delay are those of the dynamic batcher', async () => {
    const strategy = { ...oldest, preferredBatchSizes: [2], queueDelayMs: 10 };
    const world = new SequenceWorld({ strategy });
    await world.arrive(1, '(a');
    await world.time.advance(5);
    await world.arrive(2, '(b');
    expect(world.batches).toEqual(['ab']);
    await world.arrive(3, '(c');
    await world.finish();
    await world.time.advance(10);
    expect(world.batches).toEqual(['ab', 'c']);
  });

  test('preserve ordering: answers in the order in which requests became the next of their sequences', async () => {
    const strategy = { ...oldest, preserveOrdering: true };
    const world = new SequenceWorld({ strategy, batchMax: 1 });
    await world.arrive(1, '(a', 'b');
    await world.arrive(2, '(c');
    await world.finishAll();
    expect(world.told).toEqual(['a', 'c', 'b']);
  });
});
