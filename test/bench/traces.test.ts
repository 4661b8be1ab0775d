import { describe, expect, it } from 'vitest';
import { agenticShape, conversationShape, generateTrace } from '../../src/kv/traces/generate.ts';
import { lruHits } from '../../bench/traces/lru.ts';
import { TraceBuilder, type Trace } from '../../src/kv/traces/trace.ts';
import { Xorshift } from '../../bench/harness/random.ts';
import { seed } from '../support/seed.ts';

/** One request of all blocks: `lruHits` takes each alone. */
function traceOf(references: Int32Array): Trace {
  const builder = new TraceBuilder('made up');
  builder.begin(0);
  for (const block of references) builder.add(block);
  return builder.build();
}

/** By definition: a list in order of use. */
function naiveHits(references: Int32Array, capacity: number): number {
  const list: number[] = [];
  let hits = 0;
  for (const block of references) {
    const at = list.indexOf(block);
    if (at >= 0) {
      hits += 1;
      list.splice(at, 1);
    } else if (list.length >= capacity) list.shift();
    list.push(block);
  }
  return hits;
}

describe('lruHits', () => {
  it('equals a list in order of use', () => {
    const random = new Xorshift(seed());
    for (const capacity of [1, 2, 7, 30, 64]) {
      const references = Int32Array.from({ length: 2000 }, () => random.below(8) * random.below(8));
      expect(lruHits(traceOf(references), capacity)).toBe(naiveHits(references, capacity));
    }
  });

  it('finds nothing in a loop one longer than its capacity', () => {
    const loop = Int32Array.from({ length: 300 }, (_, index) => index % 11);
    expect(lruHits(traceOf(loop), 10)).toBe(0);
    expect(lruHits(traceOf(loop), 11)).toBe(289);
  });

  it('refuses a capacity of nothing', () => {
    expect(() => lruHits(traceOf(new Int32Array(1)), 0)).toThrow(RangeError);
  });
});

describe('generateTrace', () => {
  it('gives the same trace for the same seed, another for another', () => {
    const small = { ...conversationShape, sessions: 50 };
    expect(generateTrace(small, 3)).toEqual(generateTrace(small, 3));
    expect(generateTrace(small, 3)).not.toEqual(generateTrace(small, 4));
  });

  it('reuses little in chats and almost everything in agents’ sessions', () => {
    const reuse = (shape: typeof conversationShape): number => {
      const { references, distinct } = generateTrace(shape, seed());
      return 1 - distinct / references.length;
    };
    expect(reuse(conversationShape)).toBeGreaterThan(0.25);
    expect(reuse(conversationShape)).toBeLessThan(0.5);
    expect(reuse({ ...agenticShape, sessions: 60 })).toBeGreaterThan(0.9);
  });
});
