/** Who makes room among sequences that make tokens, and that no state is lost or another’s by it. */

import { describe, expect, test } from 'vitest';
import { TokenWorld, undisturbed } from './token-world.ts';

const prompt = (length: number, first = 1): number[] =>
  Array.from({ length }, (_, i) => first * 1000 + i);

describe('preemption', () => {
  test('a tenant without a slot gets one of another’s when that one has had its slice; state is kept and comes back', async () => {
    const world = new TokenWorld({ slots: 2, sliceSteps: 3 });
    for (const name of ['a', 'b']) world.submit(name, prompt(2), { tenant: 'x', maxTokens: 8 });
    await world.time.settle();
    await world.arrive('c', prompt(2, 2), { tenant: 'y', maxTokens: 4 });
    await world.run(2);
    expect(world.ends).toEqual([]);
    await world.run(1);
    expect(world.ends).toEqual(['a: kept']);
    await world.run();
    for (const name of ['a', 'b'])
      expect(world.answers.get(name)).toEqual(undisturbed(prompt(2), 8));
    expect(world.answers.get('c')).toEqual(undisturbed(prompt(2, 2), 4));
    // Nothing was computed twice.
    const { computedTokens, preempted } = world.batcher.stats();
    expect([preempted, computedTokens]).toEqual([1, 2 + 7 + 2 + 7 + 2 + 3]);
  });

  test('the same tenant makes nobody wait', async () => {
    const world = new TokenWorld({ slots: 1, sliceSteps: 1 });
    world.submit('a', prompt(2), { maxTokens: 8 });
    await world.arrive('b', prompt(2), { maxTokens: 2 });
    await world.run();
    expect(world.batcher.stats().preempted).toBe(0);
    expect(world.told).toEqual(['a', 'b']);
  });

  test('more tenants than slots take turns', async () => {
    const world = new TokenWorld({ slots: 1, sliceSteps: 4 });
    for (const tenant of ['x', 'y', 'z']) world.submit(tenant, prompt(1), { tenant, maxTokens: 8 });
    await world.time.settle();
    await world.run();
    expect(world.told).toEqual(['x', 'y', 'z']);
    expect(world.ends.slice(0, 3)).toEqual(['x: kept', 'y: kept', 'z: kept']);
    for (const name of ['x', 'y', 'z'])
      expect(world.answers.get(name)).toEqual(undisturbed(prompt(1), 8));
  });

  test('where no more tokens fit, whoever joined last makes room, and goes on before others', async () => {
    const world = new TokenWorld({ slots: 3, capacityTokens: 60 });
    await world.arrive('a', prompt(5), { maxTokens: 40 });
    await world.arrive('b', prompt(5), { maxTokens: 40 });
    await world.arrive('c', prompt(5), { maxTokens: 2 });
    await world.run();
    expect(world.ends).toEqual(['b: kept', 'a: finished', 'b: finished', 'c: finished']);
    for (const name of ['a', 'b'])
      expect(world.answers.get(name)).toEqual(undisturbed(prompt(5), 40));
  });

  test('a model that keeps nothing computes again', async () => {
    const world = new TokenWorld();
    const { time } = world;
    const forgetful = {
      begin: (run: Parameters<TokenWorld['begin']>[0]) => world.begin(run),
      step: (batch: Parameters<TokenWorld['step']>[0]) => world.step(batch),
      end: (...args: Parameters<TokenWorld['end']>) => world.end(...args),
    };
    const again = new TokenWorld({ model: forgetful, slots: 1, sliceSteps: 2, timers: time });
    world.isHeld = false;
    for (const tenant of ['x', 'y']) again.submit(tenant, prompt(3), { tenant, maxTokens: 5 });
    await time.settle();
    for (const name of ['x', 'y'])
      expect(again.answers.get(name)).toEqual(undisturbed(prompt(3), 5));
    expect(world.ends).toContain('x: preempted');
  });

  test('given up while it is preempted: it does not come back', async () => {
    const world = new TokenWorld({ slots: 1, sliceSteps: 2 });
    const giveUp = new AbortController();
    await world.arrive('a', prompt(2), { tenant: 'x', signal: giveUp.signal, maxTokens: 9 });
    await world.arrive('b', prompt(2), { tenant: 'y', maxTokens: 9 });
    await world.run(2);
    expect(world.ends).toEqual(['a: kept']);
    giveUp.abort();
    await world.run();
    expect(world.told).toEqual(['a: aborted', 'b']);
    expect(world.batcher.stats()).toMatchObject({ waiting: 0, slotsTaken: 0 });
  });
});

test('given up while its state is being kept: it does not come back', async () => {
  const world = new TokenWorld({ slots: 1, sliceSteps: 2 });
  const giveUp = new AbortController();
  const preempt = world.preempt.bind(world);
  world.preempt = (run) => {
    giveUp.abort();
    preempt(run);
  };
  await world.arrive('a', prompt(2), { tenant: 'x', signal: giveUp.signal, maxTokens: 9 });
  await world.arrive('b', prompt(2), { tenant: 'y', maxTokens: 9 });
  await world.run();
  expect(world.ends).toEqual(['a: kept', 'b: finished']);
  expect(world.told).toEqual(['a: aborted', 'b']);
});
