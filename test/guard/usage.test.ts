import { describe, expect, it } from 'vitest';

import { CenoteError } from '../../src/errors.ts';
import type { Quotas } from '../../src/guard/api.ts';
import { Throttled } from '../../src/guard/throttled.ts';
import { TokenBucket } from '../../src/guard/token-bucket.ts';
import { Usage } from '../../src/guard/usage.ts';
import { parameters } from '../server/support/fuzz.ts';
import { codeOf, testClock } from './support/guards.ts';
import { fc } from '../support/properties.ts';

describe('a token bucket', () => {
  it('lets a second of its rate through at once, and then its rate', () => {
    const clock = testClock();
    const bucket = new TokenBucket(10, clock);
    for (let i = 0; i < 10; i++) expect(bucket.take()).toBe(0);
    expect(bucket.take()).toBe(100);
    clock.advance(99);
    expect(bucket.take()).toBe(1);
    clock.advance(1);
    expect(bucket.take()).toBe(0);
    expect(bucket.take()).toBe(100);
    clock.advance(3_600_000);
    for (let i = 0; i < 10; i++) expect(bucket.take()).toBe(0);
    expect(bucket.take()).toBe(100);
  });

  it('of nothing lets nothing through', () => {
    const clock = testClock();
    const bucket = new TokenBucket(0, clock);
    clock.advance(1_000_000);
    expect(bucket.take()).toBe(Infinity);
  });

  it('bears a clock that is set back', () => {
    const clock = testClock();
    const bucket = new TokenBucket(2, clock);
    bucket.take();
    bucket.take();
    clock.advance(-60_000);
    expect(bucket.take()).toBe(500);
    clock.advance(500);
    expect(bucket.take()).toBe(0);
  });

  it('never lets more through than its rate and a second of it', () => {
    const steps = fc.array(fc.nat(300), { maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), steps, (rate, pauses) => {
        const clock = testClock();
        const startMs = clock.nowMs();
        const bucket = new TokenBucket(rate, clock);
        let passed = 0;
        for (const pause of pauses) {
          clock.advance(pause);
          while (bucket.take() === 0) passed++;
        }
        const seconds = (clock.nowMs() - startMs) / 1000;
        expect(passed).toBeLessThanOrEqual(rate * (1 + seconds) + 1e-6);
        expect(passed).toBeGreaterThan(pauses.length === 0 ? -1 : rate * seconds - 1);
      }),
      parameters(200),
    );
  });
});

describe('usage', () => {
  it('says when to come again', () => {
    const clock = testClock();
    const usage = new Usage({ opsPerSecond: 4 }, clock);
    for (let i = 0; i < 4; i++) usage.begin(0);
    try {
      usage.begin(0);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(Throttled);
      expect((error as Throttled).retryAfterMs).toBe(250);
    }
    usage.quotas = { opsPerSecond: 4, contexts: 1 };
    expect(() => usage.begin(0)).toThrow(Throttled);
    usage.quotas = {};
    usage.begin(0);
    expect(usage.refusals).toEqual({ rate_limited: 2, budget_exceeded: 0 });
  });

  it('counts what a refused operation would have taken as not taken', async () => {
    const usage = new Usage({ inFlightBytes: 100, opsPerSecond: 2 }, testClock());
    expect(await codeOf(() => usage.begin(101))).toBe('budget_exceeded');
    usage.begin(60);
    expect(await codeOf(() => usage.grow(41))).toBe('budget_exceeded');
    usage.grow(40);
    expect(await codeOf(() => usage.begin(1))).toBe('budget_exceeded');
    usage.begin(0);
    expect(await codeOf(() => usage.begin(0))).toBe('rate_limited');
    expect(usage).toMatchObject({ running: 2, inFlightBytes: 100, operations: 2 });
    usage.end(100);
    usage.end(0);
    expect(usage).toMatchObject({ running: 0, inFlightBytes: 0 });
  });

  it('is back at nothing after any operations, and within its quotas all the time', () => {
    const quotas: Quotas = { inFlightBytes: 1000, storedBytes: 5000, contexts: 3 };
    const step = fc.tuple(fc.constantFrom('begin', 'grow', 'end', 'store', 'free'), fc.nat(700));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const usage = new Usage(quotas, testClock());
        const budget = usage.budget();
        const running: number[] = [];
        const stored: number[] = [];
        const attempt = (work: () => void): boolean => {
          try {
            work();
            return true;
          } catch (error) {
            expect(error).toBeInstanceOf(CenoteError);
            return false;
          }
        };
        for (const [what, bytes] of steps) {
          if (what === 'begin' && attempt(() => usage.begin(bytes))) running.push(bytes);
          const last = running.length - 1;
          if (what === 'grow' && last >= 0 && attempt(() => usage.grow(bytes))) {
            running[last] = (running[last] as number) + bytes;
          }
          if (what === 'end' && last >= 0) usage.end(running.pop() as number);
          if (what === 'store' && attempt(() => budget.reserve('blob', bytes))) stored.push(bytes);
          if (what === 'free' && stored.length > 0) budget.refund('blob', stored.pop() as number);
          expect(usage.inFlightBytes).toBeLessThanOrEqual(1000);
          expect(usage.storedBytes).toBeLessThanOrEqual(5000);
          expect(usage.running).toBe(running.length);
        }
        for (const bytes of running) usage.end(bytes);
        for (const bytes of stored) budget.refund('blob', bytes);
        expect(usage).toMatchObject({ running: 0, inFlightBytes: 0, storedBytes: 0 });
      }),
      parameters(300),
    );
  });
});
