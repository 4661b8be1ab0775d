/** Faults that Triton's sequence batcher had, by their numbers there, which this one does not have; and giving up, wherever a sequence is. */

import { describe, expect, test } from 'vitest';
import { SequenceWorld, type NoteStep, type Options } from './sequence-world.ts';

const direct = { kind: 'direct' } as const;
const oldest = { kind: 'oldest', candidatesMax: 2 } as const;

describe.each([
  ['direct', direct],
  ['oldest', oldest],
] as const)('%s:', (_, strategy) => {
  const open = (options: Partial<Options> = {}): SequenceWorld =>
    new SequenceWorld({ strategy, batchMax: 2, idleMs: 100, ...options });

  test('two clients sharing a state after cancel and reap (#7117): a slot is given back once', async () => {
    const world = open();
    const giveUp = new AbortController();
    await world.arrive(1, '(a');
    world.submit(1, 'b', { signal: giveUp.signal });
    await world.time.settle();
    giveUp.abort();
    await world.time.settle();
    // What runs has its slot until it is back, and then leaves once.
    expect(world.batcher.stats().slotsTaken).toBe(1);
    await world.time.advance(1000);
    await world.finish();
    await world.time.advance(1000);
    expect(world.ends).toEqual(['1: cancelled']);
    // Two new clients, and a third that has to wait: two slots, two states.
    world.submit(2, '(c');
    world.submit(3, '(d');
    await world.arrive(4, '(e');
    const steps = world.model.running[0]!.batch as (NoteStep & { ready: true })[];
    expect(steps.map(({ id, slot }) => [id, slot])).toEqual([
      [2, 0],
      [3, 1],
    ]);
    expect(steps[0]!.state).not.toBe(steps[1]!.state);
    expect(world.batcher.stats()).toMatchObject({ slotsTaken: 2, backlog: 1 });
    await world.finish();
  });

  test('a sequence that is cancelled while it runs keeps its slot until the model is done with it', async () => {
    const world = open({
      batchMax: 1,
      ...(strategy.kind === 'oldest' && { strategy: { ...oldest, candidatesMax: 1 } }),
    });
    const giveUp = new AbortController();
    world.submit(1, '(a', { signal: giveUp.signal });
    await world.arrive(2, '(b');
    giveUp.abort();
    await world.time.settle();
    expect(world.told).toEqual(['a: aborted']);
    expect(world.batches).toEqual(['a']);
    expect(world.ends).toEqual([]);
    await world.finish();
    expect(world.ends).toEqual(['1: cancelled']);
    expect(world.batches).toEqual(['a', 'b']);
  });

  test('endless reaper (#8449): each idle sequence is reaped once, and nobody is woken for nothing', async () => {
    const world = open();
    for (let round = 0; round < 20; round++) {
      await world.arrive(2 * round, '(a');
      await world.arrive(2 * round + 1, '(b');
      await world.finishAll();
      // A model that hangs meanwhile changes nothing.
      if (round % 2 === 1) await world.arrive(2 * round, 'c');
      await world.time.advance(1000);
      await world.finishAll();
      await world.time.advance(1000);
    }
    expect(world.ends).toHaveLength(40);
    expect(new Set(world.ends).size).toBe(40);
    expect(world.time.wakes).toBeLessThanOrEqual(60);
    expect(world.time.nextMs).toBe(Infinity);
    expect(world.batcher.stats()).toMatchObject({ live: 0, slotsTaken: 0 });
  });

  test('backend not told of the end (#3492): it hears of each end once, with the reason, however it came', async () => {
    const world = open({ sequencesMax: 8, backlogTimeoutMs: 50 });
    const giveUp = new AbortController();
    await world.arrive('ends', '(a)');
    await world.finishAll();
    await world.arrive('restarts', '(a', '(b)');
    await world.finishAll();
    await world.arrive('idles', '(a');
    await world.finishAll();
    await world.time.advance(100);
    world.submit('cancels', '(a', { signal: giveUp.signal });
    await world.time.settle();
    giveUp.abort();
    await world.finishAll();
    world.submit('expires', '(a', { deadlineMs: world.time.nowMs() + 5 });
    await world.time.advance(5);
    await world.finishAll();
    await world.arrive('fails', '(a');
    world.model.fail(new Error('broken'));
    await world.time.settle();
    await world.arrive('closes', '(a');
    const closed = world.batcher.close();
    await world.finishAll();
    await closed;
    expect(world.ends).toEqual([
      'ends: end',
      'restarts: restart',
      'restarts: end',
      'idles: idle',
      'cancels: cancelled',
      'expires: expired',
      'fails: failed',
      'closes: closed',
    ]);
    const { begun, ended } = world.batcher.stats();
    expect(begun).toBe(8);
    expect(ended).toEqual({
      end: 2,
      restart: 1,
      idle: 1,
      cancelled: 1,
      expired: 1,
      failed: 1,
      closed: 1,
    });
  });

  test('given up in the queue: what runs has its answer, the rest of the sequence has not', async () => {
    const world = open();
    const giveUp = new AbortController();
    await world.arrive(1, '(a', 'b');
    world.submit(1, 'c', { signal: giveUp.signal });
    await world.time.settle();
    giveUp.abort();
    await world.time.settle();
    expect(world.told).toEqual(['b: aborted', 'c: aborted']);
    await world.finish();
    expect(world.told).toEqual(['b: aborted', 'c: aborted', 'a']);
  });

  test('given up after END: whoever has the id since is not touched', async () => {
    const world = open();
    const giveUp = new AbortController();
    await world.arrive(1, '(a');
    world.submit(1, 'b)', { signal: giveUp.signal });
    await world.arrive(1, '(c');
    giveUp.abort();
    await world.arrive(1, 'd)');
    await world.finishAll();
    expect(world.told).toEqual(['b: aborted', 'a', 'c', 'd']);
  });

  test('given up before it goes to the model: it never does', async () => {
    const world = open({ batchMax: 1, ...(strategy.kind === 'direct' && { instances: 1 }) });
    const giveUp = new AbortController();
    await world.arrive(1, '(a');
    world.submit(2, '(b', { signal: giveUp.signal });
    await world.time.settle();
    giveUp.abort();
    await world.finishAll();
    expect(world.batches).toEqual(['a']);
    expect(world.told).toEqual(['b: aborted', 'a']);
    expect(world.batcher.stats()).toMatchObject({ cancelled: 1, completed: 1, queued: 0 });
  });

  test('a state that cannot be had refuses that sequence alone', async () => {
    let rooms = 1;
    const world = open({
      states: {
        begin: () => {
          if (rooms-- === 0) throw new Error('no room');
          return { seen: [], isOver: false };
        },
        end: () => {},
      },
    });
    world.submit(1, '(a)');
    await world.arrive(2, '(b');
    await world.arrive(2, 'c');
    await world.finishAll();
    expect(world.told).toEqual(['b: Error: no room', 'c: unknown_sequence', 'a']);
    expect(world.batcher.stats()).toMatchObject({ begun: 1, slotsTaken: 0 });
  });
});

test('a state whose end fails keeps nobody from his answer', async () => {
  const world = new SequenceWorld({
    states: {
      begin: () => ({ seen: [], isOver: false }),
      end: () => {
        throw new Error('stuck');
      },
    },
  });
  world.submit(1, '(a)');
  await world.arrive(2, '(b)');
  await world.finishAll();
  expect(world.told).toEqual(['a', 'b']);
  expect(world.batcher.stats()).toMatchObject({ endsFailed: 2, slotsTaken: 0 });
});

test('small batches under load (#4841): 500 clients, 128 candidates: every batch is full but the last', async () => {
  const clients = 500;
  const steps = 6;
  const world = new SequenceWorld({
    strategy: { kind: 'oldest', candidatesMax: 128 },
    batchMax: 64,
  });
  const { batcher, model, time } = world;
  const live = Array.from({ length: clients }, async (_, id) => {
    for (let step = 0; step < steps; step++) {
      const flags = { id, start: step === 0, end: step === steps - 1 };
      await batcher.submit(`${id}`, flags);
    }
  });
  await time.settle();
  while (model.running.length > 0) await world.finish();
  await Promise.all(live);
  const sizes = model.batches.map((batch) => batch.length);
  expect(sizes.slice(0, -1)).toEqual(Array.from({ length: 46 }, () => 64));
  expect(sizes.at(-1)).toBe(clients * steps - 46 * 64);
});
