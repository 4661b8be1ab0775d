/** What every policy promises a cache: only what may go is given away, and all of it in the end. */

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import {
  keyWords,
  noPlace,
  sessionHint,
  stopReason,
  type Policy,
  type SessionHint,
  type StopReason,
} from '../../src/evict/api.ts';
import { Hazard } from '../../src/evict/hazard/hazard.ts';
import { Lfu } from '../../src/evict/lfu.ts';
import { Lru } from '../../src/evict/lru.ts';
import { rounds, seed } from '../support/seed.ts';
import { fc } from '../support/properties.ts';

const policies: readonly (readonly [string, (places: number) => Policy])[] = [
  ['lru', (places) => new Lru(places)],
  ['lfu', (places) => new Lfu(places, new Random(7))],
  ['hazard', (places) => new Hazard(places, new Random(7))],
];

/** A cache in the plainest words: blocks by name, each with the block that it extends. */
class NaiveCache {
  readonly places: number;
  readonly policy: Policy;
  readonly placeOf = new Map<string, number>();
  readonly users = new Map<string, number>();
  readonly free: number[];
  readonly running = new Map<number, string[]>();
  nowMs = 0;

  constructor(places: number, policy: Policy) {
    this.places = places;
    this.policy = policy;
    this.free = Array.from({ length: places }, (_, place) => place);
  }

  /** Begins a request; what has no room is left out, with what follows. */
  begin(request: number, chain: readonly string[]): void {
    const keys = Int32Array.from(chain.flatMap(keyOf));
    this.policy.begin(request, this.nowMs, 512 * chain.length, keys, chain.length);
    const held: string[] = [];
    this.running.set(request, held);
    for (const [depth, block] of chain.entries()) {
      if (this.placeOf.has(block)) this.policy.retain(this.placeOf.get(block) as number);
      else if (!this.#place(request, depth, block, held.at(-1))) break;
      this.users.set(block, (this.users.get(block) ?? 0) + 1);
      held.push(block);
    }
  }

  end(request: number, stop: StopReason, hint: SessionHint): void {
    const held = this.running.get(request) ?? [];
    this.running.delete(request);
    this.policy.end(request, this.nowMs, 30, stop, hint);
    for (const block of held.toReversed()) {
      const users = (this.users.get(block) as number) - 1;
      this.users.set(block, users);
      if (users === 0) this.policy.release(this.placeOf.get(block) as number);
    }
  }

  /** @returns the block that went, or undefined */
  evict(): string | undefined {
    const place = this.policy.victim();
    if (place === noPlace) return undefined;
    const block = [...this.placeOf].find(([, at]) => at === place)?.[0];
    if (block === undefined || !this.mayGo(block)) throw new Error(`${block} must not go`);
    this.placeOf.delete(block);
    this.policy.gone(place);
    this.free.push(place);
    const parent = parentOf(block);
    const at = this.placeOf.get(parent);
    if (at !== undefined && !this.#isExtended(parent)) this.policy.leaf(at);
    return block;
  }

  mayGo(block: string): boolean {
    return (this.users.get(block) ?? 0) === 0 && !this.#isExtended(block);
  }

  #isExtended(block: string): boolean {
    return [...this.placeOf.keys()].some((other) => parentOf(other) === block);
  }

  #place(request: number, depth: number, block: string, parent: string | undefined): boolean {
    if (this.free.length === 0 && this.evict() === undefined) return false;
    const place = this.free.pop() as number;
    const wasLeaf = parent !== undefined && !this.#isExtended(parent);
    this.placeOf.set(block, place);
    this.policy.place(request, depth, place);
    if (wasLeaf) this.policy.branch(this.placeOf.get(parent) as number);
    return true;
  }
}

/** `abc` extends `ab`. */
function parentOf(block: string): string {
  return block.slice(0, -1);
}

function keyOf(block: string): number[] {
  let hash = 7;
  for (const letter of block) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0;
  return [hash, Math.imul(hash, 0x9e37_79b1), ...Array<number>(keyWords - 2).fill(0)];
}

interface Step {
  readonly chain: string;
  readonly request: number;
  readonly waitMs: number;
  readonly stop: StopReason;
  readonly hint: SessionHint;
}

const step: fc.Arbitrary<Step> = fc.record({
  chain: fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 5 }),
  request: fc.integer({ min: 0, max: 2 }),
  waitMs: fc.constantFrom(0, 1, 900, 40_000, 4_000_000),
  stop: fc.constantFrom(...Object.values(stopReason)),
  hint: fc.constantFrom(...Object.values(sessionHint)),
});

function play(cache: NaiveCache, { chain, request, waitMs, stop, hint }: Step): void {
  cache.nowMs += waitMs;
  if (cache.running.has(request)) cache.end(request, stop, hint);
  const blocks = Array.from(chain, (_, depth) => chain.slice(0, depth + 1));
  cache.begin(request, blocks);
}

describe.each(policies)('%s', (_name, create) => {
  it('gives away only what nobody uses or extends, and in the end all of it', () => {
    const property = fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 24 }),
      (steps, places) => {
        const cache = new NaiveCache(places, create(places));
        for (const one of steps) play(cache, one);
        for (const request of cache.running.keys()) cache.end(request, stopReason.endTurn, 0);
        const there = [...cache.placeOf.keys()];
        const gone = there.map(() => cache.evict());
        expect(new Set(gone)).toEqual(new Set(there));
        expect(cache.policy.victim()).toBe(noPlace);
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(300, 3000) });
  });

  it('does not give away what is used again since it was next', () => {
    const cache = new NaiveCache(8, create(8));
    cache.begin(0, ['a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef']);
    cache.end(0, stopReason.unknown, sessionHint.none);
    expect([cache.evict(), cache.evict()]).toEqual(['abcdef', 'abcde']);
    // As a fork does, which looks nothing up.
    for (const place of cache.placeOf.values()) cache.policy.retain(place);
    expect(cache.policy.victim()).toBe(noPlace);
  });

  it('begins anew after a reset', () => {
    const cache = new NaiveCache(4, create(4));
    cache.begin(0, ['a', 'ab']);
    cache.end(0, stopReason.unknown, sessionHint.none);
    cache.policy.reset();
    expect(cache.policy.victim()).toBe(noPlace);
    const again = new NaiveCache(4, cache.policy);
    again.begin(0, ['a', 'ab', 'abc']);
    again.end(0, stopReason.unknown, sessionHint.none);
    expect([again.evict(), again.evict(), again.evict()]).toEqual(['abc', 'ab', 'a']);
  });
});
