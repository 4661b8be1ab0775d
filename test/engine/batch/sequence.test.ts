/** What Triton's documentation and tests say of its sequence batcher, case by case, for both strategies. */

import { describe, expect, test } from 'vitest';
import type { DirectStrategy, OldestStrategy } from '../../../src/engine/batch/api.ts';
import { SequenceWorld, type NoteStep, type Options } from './sequence-world.ts';

const direct: DirectStrategy = { kind: 'direct' };
const oldest: OldestStrategy = { kind: 'oldest', candidatesMax: 4 };

/** Who is in a batch, whatever the places. */
const sorted = (batch: string): string => [...batch.replaceAll('.', '')].toSorted().join('');

/** What the model is told of each step that is ready. */
const controls = (batch: readonly NoteStep[] | undefined): unknown[] =>
  (batch ?? []).map((step) =>
    step.ready ? [step.id, step.start, step.end, step.slot] : `slot ${step.slot} not ready`,
  );

describe.each([
  ['direct', direct, { ...direct }],
  ['oldest', oldest, { ...oldest, candidatesMax: 2 }],
] as const)('%s:', (_, strategy, two) => {
  const open = (options: Partial<Options> = {}): SequenceWorld =>
    new SequenceWorld({ strategy, ...options });
  /** Two slots. */
  const small = (options: Partial<Options> = {}): SequenceWorld =>
    new SequenceWorld({ strategy: two, batchMax: 2, ...options });

  test('START is needed on the first request', async () => {
    const world = open();
    await world.arrive(7, 'a');
    expect(world.told).toEqual(['a: unknown_sequence']);
    expect(world.batcher.stats()).toMatchObject({ accepted: 0, refused: 1, live: 0 });
  });

  test('requests of a sequence go one after the other, never two in a batch', async () => {
    const world = open();
    await world.arrive(7, '(a', 'b', 'c)');
    expect(world.batches).toEqual(['a']);
    await world.finishAll();
    expect(world.batches).toEqual(['a', 'b', 'c']);
    expect(world.told).toEqual(['a', 'b', 'c']);
    expect(world.ends).toEqual(['7: end']);
  });

  test('requests of several sequences go together', async () => {
    const world = open();
    await world.arrive(1, '(a', 'b)');
    world.submit(2, '(c');
    await world.arrive(3, '(e)');
    await world.finish();
    expect(world.batches.map(sorted)).toEqual(['a', 'bce']);
  });

  test('the model is told of START, END, the id and the slot', async () => {
    const world = open();
    world.submit('first', '(a');
    await world.arrive('second', '(b)');
    await world.arrive('first', 'c');
    await world.arrive('first', 'd)');
    await world.finishAll();
    expect(world.model.batches.map(controls)).toEqual([
      [
        ['first', true, false, 0],
        ['second', true, true, 1],
      ],
      [['first', false, false, 0]],
      [['first', false, true, 0]],
    ]);
  });

  test('START on a live id queues behind its old work, then restarts with a new state', async () => {
    const world = open();
    await world.arrive(7, '(a', 'b', '(c', 'd)');
    await world.finish();
    await world.finish();
    expect(world.ends).toEqual(['7: restart']);
    await world.finishAll();
    expect(world.batches).toEqual(['a', 'b', 'c', 'd']);
    expect(world.ends).toEqual(['7: restart', '7: end']);
    expect(world.batcher.stats()).toMatchObject({ begun: 2, completed: 4, slotsTaken: 0 });
  });

  test('END frees the id at enqueue: a START takes another slot while the old one works on', async () => {
    const world = open();
    await world.arrive(7, '(a', 'b)');
    await world.arrive(7, 'x');
    expect(world.told).toEqual(['x: unknown_sequence']);
    await world.arrive(7, '(c)');
    expect(world.batcher.stats()).toMatchObject({ slotsTaken: 2, live: 0 });
    await world.finish();
    expect(world.batches.map(sorted)).toEqual(['a', 'bc']);
    await world.finishAll();
    expect(world.ends).toEqual(['7: end', '7: end']);
  });

  test('backlog is first in, first out, by sequence', async () => {
    const world = small();
    await world.arrive(1, '(a');
    await world.arrive(2, '(b');
    await world.arrive(3, '(c');
    await world.arrive(4, '(d)');
    await world.arrive(3, 'e)');
    expect(world.batcher.stats()).toMatchObject({ backlog: 2, slotsTaken: 2 });
    await world.finishAll();
    await world.arrive(2, 'f)');
    await world.finishAll();
    expect(world.batches.map(sorted)).toEqual(['a', 'b', 'f', 'c', 'e', 'd']);
    await world.arrive(1, 'g)');
    await world.finishAll();
    expect(world.ends).toEqual(['2: end', '3: end', '4: end', '1: end']);
  });

  test('backlog is fair to tenants', async () => {
    const world = small();
    world.submit(1, '(a)', { tenant: 'a' });
    world.submit(2, '(b)', { tenant: 'a' });
    for (const id of [3, 4, 5]) world.submit(id, '(c)', { tenant: 'a' });
    world.submit(6, '(d)', { tenant: 'b' });
    await world.time.settle();
    await world.finishAll();
    expect(world.batches).toEqual(['ab', 'cd', 'cc']);
  });

  test('sequences in the backlog are not reaped', async () => {
    const world = small({ idleMs: 10 });
    await world.arrive(1, '(a)');
    await world.arrive(2, '(b');
    await world.arrive(3, '(c)');
    await world.time.advance(500);
    expect(world.told).toEqual([]);
    await world.finishAll();
    await world.time.advance(500);
    await world.finishAll();
    expect(world.told.toSorted()).toEqual(['a', 'b', 'c']);
    expect(world.ends.toSorted()).toEqual(['1: end', '2: idle', '3: end']);
  });

  test('a timeout in the backlog rejects the whole sequence, and frees its id', async () => {
    const world = small({ backlogTimeoutMs: 20 });
    for (const id of [1, 2]) await world.arrive(id, '(x');
    await world.arrive(3, '(a');
    await world.time.advance(15);
    await world.arrive(3, 'b', 'c');
    await world.time.advance(5);
    expect(world.told).toEqual(['a', 'b', 'c'].map((name) => `${name}: engine_deadline`));
    await world.arrive(3, 'd');
    expect(world.told.at(-1)).toBe('d: unknown_sequence');
    // It never had a state.
    expect(world.ends).toEqual([]);
    expect(world.batcher.stats()).toMatchObject({ backlog: 0, live: 2, expired: 3 });
  });

  test('a timeout of a request only shortens', async () => {
    const world = small({ backlogTimeoutMs: 20 });
    for (const id of [1, 2]) await world.arrive(id, '(x');
    world.submit(3, '(a', { queueTimeoutMs: 5 });
    world.submit(4, '(b', { queueTimeoutMs: 50 });
    await world.time.advance(5);
    expect(world.told).toEqual(['a: engine_deadline']);
    await world.time.advance(15);
    expect(world.told).toEqual(['a: engine_deadline', 'b: engine_deadline']);
  });

  test('with a slot a timeout of the backlog does not count', async () => {
    const world = open({ backlogTimeoutMs: 20 });
    await world.arrive(1, '(a', 'b)');
    await world.time.advance(100);
    await world.finishAll();
    expect(world.told).toEqual(['a', 'b']);
  });

  test('who gets a slot in time is not rejected later', async () => {
    const world = small({ backlogTimeoutMs: 20 });
    for (const id of [1, 2]) world.submit(id, '(x)');
    await world.arrive(3, '(a', 'b)');
    await world.time.advance(19);
    await world.finish();
    await world.time.advance(100);
    await world.finishAll();
    expect(world.told).toEqual(['x', 'x', 'a', 'b']);
  });

  test('idle timeout counts from the last arrival, to the millisecond', async () => {
    const world = open({ idleMs: 1000 });
    await world.arrive(7, '(a');
    await world.time.advance(400);
    await world.finish();
    await world.time.advance(300);
    await world.arrive(7, 'b');
    await world.time.advance(200);
    await world.finish();
    await world.time.advance(799);
    expect(world.ends).toEqual([]);
    await world.time.advance(1);
    expect(world.ends).toEqual(['7: idle']);
    await world.arrive(7, 'c');
    expect(world.told).toEqual(['a', 'b', 'c: unknown_sequence']);
  });

  test('what works is not idle, and has a moment for its next request after an answer that took long', async () => {
    const world = open({ idleMs: 1000, graceMs: 50 });
    await world.arrive(7, '(a');
    await world.time.advance(5000);
    expect(world.ends).toEqual([]);
    await world.finish();
    await world.time.advance(49);
    await world.arrive(7, 'b');
    await world.time.advance(5000);
    await world.finish();
    await world.arrive(7, 'c)');
    await world.finish();
    expect(world.told).toEqual(['a', 'b', 'c']);
    expect(world.ends).toEqual(['7: end']);
  });

  test('draining refuses only new STARTs, and is over when all sequences are', async () => {
    const world = small({ idleMs: 1000 });
    world.submit(1, '(a');
    world.submit(2, '(b');
    await world.arrive(3, '(c');
    let drained = false;
    void world.batcher.drain().then(() => (drained = true));
    await world.arrive(4, '(x');
    await world.arrive(1, '(y');
    await world.arrive(1, 'd)');
    await world.finishAll();
    expect(world.told).toEqual(['x: shutting_down', 'y: shutting_down', 'a', 'b', 'd', 'c']);
    await world.arrive(3, 'e)');
    await world.finishAll();
    expect(drained).toBe(false);
    await world.time.advance(1000);
    expect(world.ends).toEqual(['1: end', '3: end', '2: idle']);
    expect(drained).toBe(true);
  });

  test('the same id of two tenants is two sequences', async () => {
    const world = open();
    world.submit(7, '(a', { tenant: 'a' });
    world.submit(7, '(b', { tenant: 'b' });
    world.submit('7', '(c', { tenant: 'a' });
    world.submit('7', '(d', { tenant: 'b' });
    await world.time.settle();
    expect(world.batches).toEqual(['abcd']);
    expect(world.batcher.stats().live).toBe(4);
  });

  test('implicit state: new at START, handed on from step to step, and kept as it was when a step fails', async () => {
    const world = open();
    await world.arrive(7, '(a', 'b');
    await world.finish();
    const [step] = world.model.running[0]!.batch;
    expect((step as NoteStep & { ready: true }).state.seen).toEqual(['a']);
    world.model.fail(new Error('broken'));
    await world.time.settle();
    expect(world.told).toEqual(['a', 'b: Error: broken']);
    expect(world.ends).toEqual(['7: failed']);
    await world.arrive(7, 'c');
    expect(world.told.at(-1)).toBe('c: unknown_sequence');
  });

  test('a step that fails ends its sequence, and refuses what waits of it', async () => {
    const world = open();
    await world.arrive(1, '(a', 'b', 'c');
    world.model.fail(new Error('broken'));
    await world.time.settle();
    expect(world.told).toEqual(['a: Error: broken', 'b: engine_failed', 'c: engine_failed']);
    expect(world.batcher.stats()).toMatchObject({ live: 0, slotsTaken: 0, failed: 3 });
  });

  test('tenants leave each other room', async () => {
    const world = open({ tenantSequencesMax: 2, tenantQueueMax: 3, batchMax: 2 });
    for (const [id, name] of ['(a', '(b', '(c'].entries()) {
      world.submit(id, name, { tenant: 'x' });
      await world.time.settle();
    }
    world.submit(1, '(d', { tenant: 'y' });
    await world.time.settle();
    expect(world.told).toEqual(['c: engine_busy']);
    for (const name of ['e', 'f', 'g']) world.submit(0, name, { tenant: 'x' });
    world.submit(1, 'h)', { tenant: 'y' });
    await world.time.settle();
    expect(world.told).toEqual(['c: engine_busy', 'g: engine_busy']);
    await world.finishAll();
    world.submit(0, 'i)', { tenant: 'x' });
    await world.time.settle();
    await world.finishAll();
    world.submit(2, '(j)', { tenant: 'x' });
    await world.time.settle();
    await world.finishAll();
    expect(world.told.slice(2).toSorted()).toEqual([...'abdefhij']);
  });

  test('a queue that is full refuses, and changes nothing', async () => {
    const world = open({ queueMax: 3, sequenceQueueMax: 2, sequencesMax: 2 });
    await world.arrive(1, '(a');
    await world.arrive(1, 'b', 'c', 'd');
    expect(world.told).toEqual(['d: engine_busy']);
    await world.arrive(2, '(e', 'f');
    await world.arrive(3, '(g');
    expect(world.told.slice(1)).toEqual(['f: engine_busy', 'g: engine_busy']);
    await world.finishAll();
    expect(world.batcher.stats()).toMatchObject({ live: 2, completed: 4, queued: 0, refused: 3 });
  });
});
