/** Fairness between tenants: its order, and its bound. */

import { describe, expect, test } from 'vitest';
import { FairQueue, type Fair, type Lane } from '../../../src/engine/batch/fair-queue.ts';
import { rounds, seed } from '../../support/seed.ts';
import { fc } from '../../support/properties.ts';

class Item implements Fair<Item> {
  readonly tenant: string;
  readonly cost: number;
  readonly name: string;
  lane: Lane<Item> | undefined;
  before: Item | undefined;
  after: Item | undefined;

  constructor(name: string, tenant: string = name[0]!, cost: number = 1) {
    this.name = name;
    this.tenant = tenant;
    this.cost = cost;
  }
}

/** `a1 a2 b1`: tenants by their letters. */
function queueOf(names: string, quantum: number = 1): FairQueue<Item> {
  const queue = new FairQueue<Item>(quantum);
  for (const name of names.split(' ')) queue.push(new Item(name));
  return queue;
}

const drain = (queue: FairQueue<Item>): string => {
  const names: string[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) names.push(item.name);
  return names.join(' ');
};

describe('a fair queue', () => {
  test('lets tenants take turns, each first in, first out', () => {
    expect(drain(queueOf('a1 a2 a3 a4 b1 b2 c1'))).toBe('a1 b1 c1 a2 b2 a3 a4');
  });

  test('grants as much as its quantum per turn', () => {
    expect(drain(queueOf('a1 a2 a3 b1 b2 b3', 2))).toBe('a1 a2 b1 b2 a3 b3');
  });

  test('saves up nothing for whoever was away', () => {
    const queue = queueOf('a1 a2', 3);
    queue.take();
    queue.take();
    for (const name of ['b1', 'b2', 'b3', 'b4', 'a3', 'a4', 'a5', 'a6']) queue.push(new Item(name));
    expect(drain(queue)).toBe('b1 b2 b3 a3 a4 a5 b4 a6');
  });

  test('lets whoever was interrupted go on before others of his tenant', () => {
    const queue = queueOf('a1 a2 b1');
    const first = queue.take()!;
    queue.pushFront(first);
    expect(drain(queue)).toBe('b1 a1 a2');
  });

  test('forgets lanes that are empty', () => {
    const queue = queueOf('a1 b1 c1');
    expect(queue.tenants).toBe(3);
    drain(queue);
    expect([queue.tenants, queue.size, queue.cost]).toEqual([0, 0, 0]);
  });
});

const anyDeed = fc.record({
  deed: fc.constantFrom('push', 'push', 'push', 'front', 'take', 'remove'),
  tenant: fc.constantFrom('a', 'b', 'c'),
  cost: fc.integer({ min: 1, max: 5 }),
  which: fc.nat(30),
});

test('what a look shows is what is taken, whatever has been pushed, taken and removed before', () => {
  const property = fc.property(
    fc.array(anyDeed, { maxLength: 60, size: 'max' }),
    fc.integer({ min: 1, max: 7 }),
    (deeds, quantum) => {
      const queue = new FairQueue<Item>(quantum);
      let inside: Item[] = [];
      for (const [index, { deed, tenant, cost, which }] of deeds.entries()) {
        if (deed === 'push' || deed === 'front') {
          const item = new Item(`${index}`, tenant, cost);
          inside.push(item);
          if (deed === 'push') queue.push(item);
          else queue.pushFront(item);
        } else {
          const item = deed === 'take' ? queue.take() : inside[which % inside.length];
          if (deed === 'remove' && item !== undefined) queue.remove(item);
          inside = inside.filter((each) => each !== item);
        }
        expect(queue.size).toBe(inside.length);
        expect(queue.cost).toBe(inside.reduce((sum, { cost: each }) => sum + each, 0));
        expect(new Set(queue)).toEqual(new Set(inside));
      }
      queue.begin();
      const seen: Item[] = [];
      for (let item = queue.peek(); item !== undefined; item = queue.peek()) seen.push(item);
      const taken = Array.from({ length: queue.size }, () => queue.take());
      expect(taken.map((item) => item?.name)).toEqual(seen.map(({ name }) => name));
    },
  );
  fc.assert(property, { seed: seed(), numRuns: rounds(300, 3000) });
});

test('while two tenants wait, what they are served differs by no more than a quantum and two of the largest', () => {
  const costs = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 20, maxLength: 40 });
  const property = fc.property(
    fc.array(costs, { minLength: 2, maxLength: 5 }),
    fc.integer({ min: 1, max: 12 }),
    fc.nat(20),
    (tenants, quantum, from) => {
      const queue = new FairQueue<Item>(quantum);
      for (const [tenant, all] of tenants.entries())
        for (const cost of all) queue.push(new Item('x', `${tenant}`, cost));
      const left = tenants.map((all) => all.length);
      for (let i = 0; i < from; i++) left[Number(queue.take()?.tenant)]! -= 1;
      const served = tenants.map(() => 0);
      // As long as everybody has something queued.
      while (left.every((count) => count > 1)) {
        const item = queue.take()!;
        left[Number(item.tenant)]! -= 1;
        served[Number(item.tenant)]! += item.cost;
        expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(quantum + 2 * 9);
      }
    },
  );
  fc.assert(property, { seed: seed(), numRuns: rounds(300, 3000) });
});
