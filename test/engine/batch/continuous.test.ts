/** Sequences that make tokens, together: who joins when, what a step computes, who makes room, and that no state is ever another's. */

import { describe, expect, test } from 'vitest';
import { TokenWorld, undisturbed } from './token-world.ts';

const prompt = (length: number, first = 1): number[] =>
  Array.from({ length }, (_, i) => first * 1000 + i);

describe('steps', () => {
  test('a prompt, then a token per step, as if nobody else were there', async () => {
    const world = new TokenWorld();
    await world.arrive('a', prompt(5));
    await world.run();
    expect(world.steps).toEqual(['a×5*', 'a×1*', 'a×1*', 'a×1*']);
    expect(world.answers.get('a')).toEqual(undisturbed(prompt(5), 4));
    expect(world.ends).toEqual(['a: finished']);
  });

  test('sequences join and leave between any two steps', async () => {
    const world = new TokenWorld();
    await world.arrive('a', prompt(2), { maxTokens: 3 });
    await world.arrive('b', prompt(3), { maxTokens: 3 });
    await world.finishStep();
    await world.arrive('c', prompt(4), { maxTokens: 1 });
    await world.run();
    expect(world.steps).toEqual(['a×2*', 'a×1* b×3*', 'a×1* b×1* c×4*', 'b×1*']);
    expect(world.told.toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('admission is by free slots, in the order of arrival', async () => {
    const world = new TokenWorld({ slots: 2 });
    for (const name of ['a', 'b', 'c', 'd']) world.submit(name, prompt(1), { maxTokens: 2 });
    await world.time.settle();
    expect(world.batcher.stats()).toMatchObject({ waiting: 2, running: 2, slotsTaken: 2 });
    await world.run();
    expect(world.steps).toEqual(['a×1* b×1*', 'a×1* b×1*', 'c×1* d×1*', 'c×1* d×1*']);
  });

  test('long prompts go in chunks, and those who make tokens do not wait for them', async () => {
    const world = new TokenWorld({ stepTokens: 8, chunkTokens: 6 });
    await world.arrive('a', prompt(2), { maxTokens: 5 });
    await world.arrive('b', prompt(16), { maxTokens: 1 });
    await world.run();
    expect(world.steps).toEqual(['a×2*', 'a×1* b×6', 'a×1* b×6', 'a×1* b×4*', 'a×1*']);
  });

  test('no step has more tokens than the budget', async () => {
    const world = new TokenWorld({ stepTokens: 8, chunkTokens: 6 });
    for (const name of ['a', 'b', 'c']) world.submit(name, prompt(7), { maxTokens: 1 });
    await world.time.settle();
    await world.run();
    expect(world.steps).toEqual(['a×6 b×2', 'a×1* b×5* c×2', 'c×5*']);
  });

  test('prompts of tenants share the budget, whoever came first', async () => {
    const world = new TokenWorld({ stepTokens: 8, chunkTokens: 4 });
    for (const name of ['a', 'b']) world.submit(name, prompt(12), { tenant: 'x', maxTokens: 1 });
    world.submit('c', prompt(6), { tenant: 'y', maxTokens: 1 });
    await world.time.settle();
    await world.run();
    expect(world.steps).toEqual(['a×4 c×4', 'a×4 c×2* b×2', 'a×4* b×4', 'b×4', 'b×2*']);
  });

  test('a token that is the last one ends the answer', async () => {
    const world = new TokenWorld();
    const seen: number[] = [];
    const onToken = (token: number): boolean => seen.push(token) === 2;
    await world.arrive('a', prompt(3), { maxTokens: 9, onToken });
    await world.run();
    expect(world.answers.get('a')).toEqual(undisturbed(prompt(3), 2));
    expect(seen).toEqual(undisturbed(prompt(3), 2));
  });

  test('an answer ends where the context does', async () => {
    const world = new TokenWorld({ contextTokens: 6 });
    await world.arrive('a', prompt(4), { maxTokens: 9 });
    await world.run();
    expect(world.answers.get('a')).toEqual(undisturbed(prompt(4), 2));
    await world.arrive('b', prompt(6));
    expect(world.told).toEqual(['a', 'b: engine_prompt_too_long']);
  });

  test('a long answer grows', async () => {
    const world = new TokenWorld();
    world.isHeld = false;
    await world.arrive('a', prompt(3), { maxTokens: 500 });
    expect(world.answers.get('a')).toEqual(undisturbed(prompt(3), 500));
  });
});

describe('giving up', () => {
  test('while it waits: it never has a slot, and its place is free', async () => {
    const world = new TokenWorld({ slots: 1, queueMax: 1 });
    const giveUp = new AbortController();
    await world.arrive('a', prompt(1));
    await world.arrive('b', prompt(1), { signal: giveUp.signal });
    await world.arrive('c', prompt(1));
    expect(world.told).toEqual(['c: engine_busy']);
    giveUp.abort();
    await world.arrive('d', prompt(1));
    await world.run();
    expect(world.told).toEqual(['c: engine_busy', 'b: aborted', 'a', 'd']);
    expect(world.ends).toEqual(['a: finished', 'd: finished']);
  });

  test('with a slot: told at once, and the slot is free at the next step', async () => {
    const world = new TokenWorld({ slots: 1 });
    const giveUp = new AbortController();
    await world.arrive('a', prompt(3), { signal: giveUp.signal });
    await world.arrive('b', prompt(2), { maxTokens: 1 });
    giveUp.abort();
    await world.time.settle();
    expect(world.told).toEqual(['a: aborted']);
    expect(world.ends).toEqual([]);
    await world.finishStep();
    expect(world.ends).toEqual(['a: cancelled']);
    expect(world.steps).toEqual(['a×3*', 'b×2*']);
  });

  test('before it begins: nothing is queued', async () => {
    const world = new TokenWorld();
    await world.arrive('a', prompt(1), { signal: AbortSignal.abort() });
    expect(world.told).toEqual(['a: aborted']);
    expect(world.batcher.stats()).toMatchObject({ accepted: 0, refused: 1 });
  });
});

test('tenants leave each other room in the queue', async () => {
  const world = new TokenWorld({ slots: 1, queueMax: 3, tenantQueueMax: 1 });
  await world.arrive('x', prompt(1));
  for (const name of ['a', 'b']) world.submit(name, prompt(1), { tenant: 'a' });
  await world.arrive('c', prompt(1), { tenant: 'b' });
  expect(world.told).toEqual(['b: engine_busy']);
  await world.run();
  await world.arrive('d', prompt(1), { tenant: 'a' });
  await world.run();
  expect(world.told).toEqual(['b: engine_busy', 'x', 'a', 'c', 'd']);
});

test('two hundred sequences on eight slots: twenty tenants, a third of the callers gives up, no state is another’s', async () => {
  const world = new TokenWorld({ slots: 8, sliceSteps: 3, stepTokens: 32, chunkTokens: 8 });
  const giveUps: AbortController[] = [];
  const promptOf = (index: number): number[] => prompt(3 + (index % 20), index % 7);
  for (let index = 0; index < 200; index++) {
    const giveUp = new AbortController();
    giveUps.push(giveUp);
    const more = { tenant: `${index % 20}`, maxTokens: 12, signal: giveUp.signal };
    world.submit(`${index}`, promptOf(index), more);
  }
  await world.time.settle();
  for (let step = 0; world.isStepping; step++) {
    giveUps[(step * 17) % 600]?.abort();
    await world.finishStep();
  }
  const { accepted, finished, cancelled, preempted } = world.batcher.stats();
  expect(finished + cancelled).toBe(accepted);
  expect(cancelled).toBeGreaterThan(30);
  expect(preempted).toBeGreaterThan(50);
  for (const [name, answer] of world.answers)
    expect(answer).toEqual(undisturbed(promptOf(Number(name)), 12));
  expect(world.answers.size).toBe(finished);
});

test('deadlines: told at that very time, waiting or with a slot', async () => {
  const world = new TokenWorld({ slots: 1 });
  await world.arrive('a', prompt(1), { deadlineMs: 10 });
  await world.arrive('b', prompt(1), { deadlineMs: 8 });
  await world.time.advance(7);
  expect(world.told).toEqual([]);
  await world.time.advance(1);
  expect(world.told).toEqual(['b: engine_deadline']);
  await world.time.advance(2);
  expect(world.told).toEqual(['b: engine_deadline', 'a: engine_deadline']);
  await world.run();
  expect(world.ends).toEqual(['a: expired']);
});

describe('a model that fails', () => {
  test('at a step fails all that are in it, and nobody who waits', async () => {
    const world = new TokenWorld({ slots: 2 });
    for (const name of ['a', 'b', 'c']) world.submit(name, prompt(1), { maxTokens: 2 });
    await world.time.settle();
    world.failNext(new Error('broken'));
    await world.run();
    expect(world.told).toEqual(['a: Error: broken', 'b: Error: broken', 'c']);
    expect(world.ends).toEqual(['a: failed', 'b: failed', 'c: finished']);
  });

  test('at the beginning of a sequence refuses that one alone', async () => {
    const world = new TokenWorld();
    const begin = world.begin.bind(world);
    world.begin = (run) => (begin(run), run.meta === 'b' ? 3 : 0);
    for (const name of ['a', 'b', 'c']) world.submit(name, prompt(3), { maxTokens: 1 });
    await world.time.settle();
    await world.run();
    expect(world.told).toEqual(['b: engine_failed', 'a', 'c']);
    expect(world.ends).toContain('b: failed');
  });

  test('while nobody else is there: whoever comes then has his turn, at whatever tick', async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const world = new TokenWorld({ capacityTokens: 60 });
      const begin = world.begin.bind(world);
      world.begin = (run) => {
        if (run.meta === 'b') return begin(run);
        void (async () => {
          for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
          world.submit('b', prompt(1), { maxTokens: 1 });
        })();
        throw new Error('no room');
      };
      world.end = () => {};
      world.isHeld = false;
      await world.arrive('a', prompt(1));
      expect(world.told, `${ticks} ticks`).toEqual(['a: Error: no room', 'b']);
    }
  });

  test('at the end of a sequence closes the batcher: nobody has a slot whose content is not known', async () => {
    const world = new TokenWorld({ slots: 1 });
    world.end = () => {
      throw new Error('stuck');
    };
    await world.arrive('a', prompt(1), { maxTokens: 1 });
    await world.arrive('b', prompt(1));
    await world.run();
    await world.arrive('c', prompt(1));
    expect(world.told).toEqual(['a', 'b: engine_failed', 'c: engine_failed']);
    const drained = world.batcher.drain();
    await world.time.settle();
    await drained;
  });

  test('in a callback of the caller fails that one alone', async () => {
    const world = new TokenWorld();
    const onToken = (): never => {
      throw new Error('mine');
    };
    world.submit('a', prompt(1), { onToken });
    await world.arrive('b', prompt(1));
    await world.run();
    expect(world.told).toEqual(['a: Error: mine', 'b']);
  });
});

describe('the end', () => {
  test('draining takes in no more, and is over when all that was taken in is', async () => {
    const world = new TokenWorld({ slots: 1 });
    await world.arrive('a', prompt(1));
    await world.arrive('b', prompt(1));
    let drained = false;
    void world.batcher.drain().then(() => (drained = true));
    await world.arrive('c', prompt(1));
    expect([...world.told, drained]).toEqual(['c: shutting_down', false]);
    await world.run();
    expect([...world.told, drained]).toEqual(['c: shutting_down', 'a', 'b', true]);
  });

  test('closing refuses all, and is over when all slots are free', async () => {
    const world = new TokenWorld({ slots: 1 });
    await world.arrive('a', prompt(1));
    await world.arrive('b', prompt(1));
    let closed = false;
    void world.batcher.close().then(() => (closed = true));
    await world.time.settle();
    expect([...world.told, closed]).toEqual(['b: engine_closed', 'a: engine_closed', false]);
    await world.run();
    expect(closed).toBe(true);
    expect(world.ends).toEqual(['a: closed']);
  });
});
