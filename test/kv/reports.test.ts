/** What a cache tells of itself: waste, and how blocks live. */

import { expect, test } from 'vitest';
import { KvCache, stopReason, sessionHint, type Policy, Lru } from '../../src/kv/index.ts';
import { range } from './tokens.ts';

function timed(blocks: number): { kv: KvCache; at: (nowMs: number) => void } {
  // Far beyond 2^32, as today's time is.
  const base = 1.8e12;
  let now = base;
  const clock = { nowMs: () => now };
  const kv = new KvCache({ blocks, blockTokens: 4, requestsMax: 4, clock });
  return { kv, at: (nowMs) => void (now = base + nowMs) };
}

test('idle before eviction, gap before reuse, lifetime', () => {
  const { kv, at } = timed(2);
  const first = kv.prefill(range(0, 4));
  at(10);
  kv.end(first);
  at(40);
  const second = kv.prefill(range(0, 5));
  expect([kv.reports.reuseGap.count, kv.reports.reuseGap.max]).toEqual([1, 30]);
  at(50);
  kv.end(second);
  at(110);
  kv.prefill(range(10, 18));
  expect([kv.reports.idleBeforeEvict.count, kv.reports.idleBeforeEvict.max]).toEqual([1, 60]);
  expect([kv.reports.lifetime.count, kv.reports.lifetime.max]).toEqual([1, 110]);
});

test('a clock that is set back makes durations 0, not huge', () => {
  const { kv, at } = timed(1);
  at(1000);
  kv.end(kv.prefill(range(0, 4)));
  at(0);
  kv.prefill(range(4, 8));
  expect(kv.reports.lifetime.max).toBe(0);
});

test('internal waste: room for tokens that sequences hold, and what of it is empty', () => {
  const { kv } = timed(16);
  const first = kv.prefill(range(0, 9));
  expect(kv.stats()).toMatchObject({ heldTokens: 12, emptyTokens: 3 });
  kv.reserve(first, 8);
  expect(kv.stats()).toMatchObject({ heldTokens: 20, emptyTokens: 11 });
  kv.decode(first, 1);
  kv.trim();
  const second = kv.prefill(range(50, 54));
  expect(kv.stats()).toMatchObject({ heldTokens: 16, emptyTokens: 2 });
  kv.end(first);
  kv.end(second);
  expect(kv.stats()).toMatchObject({ heldTokens: 0, emptyTokens: 0 });
});

test('lookups and hits count in tokens, and add up', () => {
  const { kv } = timed(16);
  kv.end(kv.prefill(range(0, 9)));
  kv.end(kv.prefill(range(0, 9)));
  kv.end(kv.prefill(range(0, 6)));
  expect(kv.stats()).toMatchObject({ prefills: 3, lookedUpTokens: 24, hitTokens: 12 });
});

test('the policy is told all that happens, in the order of its contract', () => {
  const told: string[] = [];
  const policy = new Lru(4) as Policy;
  const names = [
    'begin',
    'extend',
    'place',
    'release',
    'retain',
    'leaf',
    'branch',
    'gone',
    'end',
  ] as const;
  const spied = Object.fromEntries(
    names.map((name) => [
      name,
      (...words: unknown[]) => {
        const shown = words.map((word) => (word instanceof Int32Array ? 'keys' : String(word)));
        // The key of a block that was decoded depends on the cache's secret.
        told.push([name, ...(name === 'extend' ? shown.slice(0, 1) : shown)].join(' '));
        (policy[name] as (...all: unknown[]) => void).apply(policy, words);
      },
    ]),
  );
  const whole = { ...spied, name: 'lru', victim: () => policy.victim() } as unknown as Policy;
  const clock = { nowMs: () => 7 };
  const kv = new KvCache({ blocks: 4, blockTokens: 2, requestsMax: 2, policy: whole, clock });
  const first = kv.prefill(range(0, 5));
  kv.decode(first, 5);
  kv.end(first, { stop: stopReason.toolUse, hint: sessionHint.goesOn });
  const second = kv.prefill(range(0, 3));
  kv.end(second);
  kv.prefill(range(50, 55));
  expect(told).toEqual([
    'begin 0 7 5 keys 2',
    'place 0 0 0',
    'place 0 1 1',
    'branch 0',
    'extend 0',
    'place 0 2 2',
    'branch 1',
    'end 0 7 1 2 2',
    'release 2',
    'release 1',
    'release 0',
    'begin 0 7 3 keys 1',
    'retain 0',
    'end 0 7 0 0 0',
    'release 0',
    'begin 0 7 5 keys 2',
    'gone 2',
    'leaf 1',
    'gone 1',
    'leaf 0',
    'place 0 0 3',
    'place 0 1 2',
    'branch 3',
  ]);
});
