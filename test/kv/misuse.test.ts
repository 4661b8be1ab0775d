/** What a cache is asked that it cannot do: a coded error, or an answer, and nothing has changed. */

import { describe, expect, test } from 'vitest';
import { KvCache, type KvCacheOptions, Lru, noRoom, step } from '../../src/kv/index.ts';
import { noPlace } from '../../src/evict/api.ts';
import { codeOf, range } from './tokens.ts';

const options: KvCacheOptions = { blocks: 4, blockTokens: 4, requestsMax: 2, events: 8 };

describe('options', () => {
  const wrong: [name: string, Partial<Record<keyof KvCacheOptions, unknown>>][] = [
    ['no blocks', { blocks: 0 }],
    ['more blocks than an array holds', { blocks: 2 ** 27 + 1 }],
    ['half a block', { blocks: 1.5 }],
    ['blocks in words', { blocks: '4' }],
    ['empty blocks', { blockTokens: 0 }],
    ['no sequences', { requestsMax: 0 }],
    ['more sequences than ids', { requestsMax: 2 ** 16 + 1 }],
    ['a negative window', { windowTokens: -1 }],
    ['a negative queue', { events: -1 }],
    ['an unknown policy', { policy: 'fifo' }],
    ['a secret that can be guessed', { secret: new Uint8Array(15) }],
  ];
  test.each(wrong)('%s', (_, more) => {
    expect(codeOf(() => new KvCache({ ...options, ...more } as KvCacheOptions))).toBe(
      'invalid_argument',
    );
  });
});

test('arguments: a coded error, and nothing has changed', () => {
  const kv = new KvCache(options);
  const sequence = kv.prefill(range(0, 6));
  const before = [kv.stats(), [...kv.table(sequence)], kv.takeEvents()];
  const list = [1, 2] as unknown as Int32Array;
  const media = [{ id: 'a', offset: 3, length: 9 }];
  const deeds: [() => unknown, string][] = [
    [() => kv.prefill(new Int32Array(0)), 'invalid_argument'],
    [() => kv.prefill(list), 'invalid_argument'],
    [() => kv.prefill(range(0, 17)), 'value_too_large'],
    [() => kv.prefill(range(0, 5), { priority: 0.5 }), 'invalid_argument'],
    [() => kv.prefill(range(0, 5), { media }), 'invalid_argument'],
    [() => kv.append(sequence, list), 'invalid_argument'],
    [() => kv.append(sequence, new Int32Array(0)), 'invalid_argument'],
    [() => kv.computed(sequence, 7), 'invalid_argument'],
    [() => kv.computed(sequence, -1), 'invalid_argument'],
    [() => kv.reserve(sequence, -1), 'invalid_argument'],
    [() => kv.reserve(sequence, 2 ** 20), 'invalid_argument'],
  ];
  for (const [deed, code] of deeds) expect(codeOf(deed)).toBe(code);
  expect([kv.stats(), [...kv.table(sequence)]]).toEqual(before.slice(0, 2));
  expect(kv.takeEvents()).toEqual([]);
});

test('a sequence that has ended, or never was, is unknown to every call', () => {
  const kv = new KvCache(options);
  const ended = kv.prefill(range(0, 4));
  kv.end(ended);
  const next = kv.prefill(range(10, 14));
  expect(next).not.toBe(ended);
  const calls: ((id: number) => unknown)[] = [
    (id) => kv.decode(id, 1),
    (id) => kv.append(id, range(0, 1)),
    (id) => kv.computed(id, 0),
    (id) => kv.reserve(id, 1),
    (id) => kv.trim(id),
    (id) => kv.fork(id),
    (id) => kv.end(id),
    (id) => kv.abort(id),
    (id) => kv.length(id),
    (id) => kv.matchedTokens(id),
    (id) => kv.table(id),
  ];
  for (const call of calls) {
    for (const id of [ended, 0, -1, noRoom, 1.5, Number.NaN, 2 ** 31, 2 ** 40]) {
      expect(codeOf(() => call(id))).toBe('unknown_sequence');
    }
  }
  expect(kv.stats()).toMatchObject({ sequences: 1, used: 1 });
});

test('ids come back only after a generation has run round', () => {
  const kv = new KvCache({ ...options, requestsMax: 2 ** 16 });
  const seen = new Set<number>();
  for (let i = 0; i < 2 ** 15 - 1; i++) {
    const id = kv.prefill(range(0, 1));
    expect(id).toBeGreaterThan(0);
    seen.add(id);
    kv.end(id);
  }
  expect(seen.size).toBe(2 ** 15 - 1);
  expect(seen.has(kv.prefill(range(0, 1)))).toBe(true);
});

test('slots are bounded: neither a prompt nor a fork begins beyond them', () => {
  const kv = new KvCache(options);
  const first = kv.prefill(range(0, 4));
  kv.prefill(range(4, 8));
  const before = kv.stats();
  expect(kv.prefill(range(8, 12))).toBe(noRoom);
  expect(kv.fork(first)).toBe(noRoom);
  expect(kv.stats()).toEqual(before);
});

test('a prompt for which there is no room evicts nothing and leaves the order as it was', () => {
  const kv = new KvCache({ ...options, requestsMax: 4 });
  const user = kv.prefill(range(20, 28));
  kv.end(kv.prefill(range(0, 4)));
  kv.end(kv.prefill(range(10, 14)));
  kv.takeEvents();
  // It would find block 2, and need two more: there is one.
  expect(kv.prefill(range(0, 12))).toBe(noRoom);
  expect(kv.takeEvents()).toEqual([]);
  expect([...kv.table(kv.prefill(range(30, 34)))]).toEqual([2]);
  kv.end(user);
});

test('a fork copies the block that both would write, and only that', () => {
  const kv = new KvCache({ ...options, blocks: 8 });
  const first = kv.prefill(range(0, 6));
  kv.reserve(first, 8);
  const fork = kv.fork(first);
  // What is reserved is not shared.
  expect([...kv.table(fork)]).toEqual([0, 1]);
  expect(kv.decode(fork, 9)).toBe(step.copied);
  expect(kv.copy).toEqual({ from: 1, to: 4 });
  expect([...kv.table(fork)]).toEqual([0, 4]);
  expect(kv.decode(first, 9)).toBe(step.written);
  expect([...kv.table(first)]).toEqual([0, 1, 2, 3]);
});

test('a copy for which there is no room is not made', () => {
  const kv = new KvCache({ ...options, blocks: 2 });
  const first = kv.prefill(range(0, 6));
  const fork = kv.fork(first);
  expect(kv.decode(fork, 9)).toBe(noRoom);
  expect(kv.append(fork, range(0, 2))).toBe(noRoom);
  expect(kv.length(fork)).toBe(6);
  kv.end(first);
  expect(kv.decode(fork, 9)).toBe(step.written);
});

test('events: who reads too late loses the oldest, and is told how many', () => {
  const kv = new KvCache({ ...options, blocks: 16, events: 3 });
  kv.prefill(range(0, 20));
  expect(kv.stats().eventsLost).toBe(2);
  expect(kv.takeEvents().map(({ block }) => block)).toEqual([2, 3, 4]);
  expect(new KvCache({ blocks: 4, blockTokens: 4, requestsMax: 1 }).takeEvents()).toEqual([]);
});

describe('a policy that breaks its contract', () => {
  class Broken extends Lru {
    readonly #victim: number;

    constructor(victim: number) {
      super(4);
      this.#victim = victim;
    }

    override victim(): number {
      return this.#victim;
    }
  }

  const brokenBy = (victim: number): KvCache =>
    new KvCache({ ...options, policy: new Broken(victim) });

  test('by giving away what is in use', () => {
    const kv = brokenBy(3);
    kv.end(kv.prefill(range(0, 8)));
    const user = kv.prefill(range(20, 28));
    expect([...kv.table(user)]).toEqual([2, 3]);
    expect(codeOf(() => kv.prefill(range(40, 44)))).toBe('policy_broken');
    expect([...kv.table(user)]).toEqual([2, 3]);
    expect(kv.stats()).toMatchObject({ used: 2, idle: 2, free: 0 });
  });

  test('by giving away a block that another extends', () => {
    const kv = brokenBy(0);
    kv.end(kv.prefill(range(0, 16)));
    expect(codeOf(() => kv.prefill(range(40, 44)))).toBe('policy_broken');
  });

  test('what a prompt has found is let go again', () => {
    const kv = brokenBy(3);
    kv.end(kv.prefill(range(0, 4)));
    kv.end(kv.prefill(range(10, 14)));
    const user = kv.prefill(range(20, 28));
    expect(codeOf(() => kv.prefill(range(0, 5)))).toBe('policy_broken');
    expect(kv.stats()).toMatchObject({ used: 2, idle: 2, free: 0, sequences: 1 });
    kv.end(user);
    expect(kv.reset()).toBe(true);
  });

  test('by holding all back: there is no room, and nothing has changed', () => {
    const kv = brokenBy(noPlace);
    kv.end(kv.prefill(range(0, 16)));
    const before = kv.stats();
    expect(kv.prefill(range(0, 16))).toBe(noRoom);
    expect(kv.stats()).toEqual(before);
  });
});
