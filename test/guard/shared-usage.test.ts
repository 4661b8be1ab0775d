/** Quotas that the workers of a server keep together. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SharedUsage, workersMax, type TenantUsage } from '../../src/guard/shared-usage.ts';
import { Usage } from '../../src/guard/usage.ts';
import { rounds, seed } from '../support/seed.ts';
import { codeOf, testClock } from './support/guards.ts';
import { fc } from '../support/properties.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A file of usage as `count` workers see it, the first of which is whoever has started the others. */
function team(count: number): { readonly shares: SharedUsage[]; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-usage-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'control');
  const shares = [SharedUsage.create(path)];
  while (shares.length < count) shares.push(SharedUsage.open(path, shares.length));
  cleanups.push(() => {
    for (const share of shares) share.close();
  });
  return { shares, path };
}

interface Writer {
  readonly usage: Usage;
  readonly mine: { draftBytes: number };
  readonly reserve: (sizeBytes: number) => void;
}

const rowOf = (share: SharedUsage, name = 'acme'): TenantUsage => share.tenant(name) as TenantUsage;

describe('what workers share', () => {
  it('bounds what is in flight at all of them together', async () => {
    const { shares } = team(3);
    const [, one, two] = shares.map(
      (share) => new Usage({ inFlightBytes: 10_000 }, testClock(), rowOf(share)),
    ) as [Usage, Usage, Usage];
    one.begin(6000);
    expect(await codeOf(() => two.begin(5000))).toBe('budget_exceeded');
    two.begin(3000);
    expect(await codeOf(() => one.grow(2000))).toBe('budget_exceeded');
    expect([one.inFlightBytes, two.inFlightBytes]).toEqual([6000, 3000]);
    one.end(6000);
    two.grow(6000);
    two.end(9000);
    one.begin(10_000);
  });

  it('frees what a dead worker had in flight, and nothing else', async () => {
    const { shares } = team(3);
    const [main] = shares as [SharedUsage];
    const [, dead, alive] = shares.map(
      (share) => new Usage({ inFlightBytes: 10_000 }, testClock(), rowOf(share)),
    ) as [Usage, Usage, Usage];
    dead.begin(6000);
    alive.begin(3000);
    expect(await codeOf(() => alive.grow(6000))).toBe('budget_exceeded');
    main.clear(1);
    alive.grow(6000);
    main.clear(1);
    expect(await codeOf(() => alive.grow(2000))).toBe('budget_exceeded');
  });

  it('bounds what is stored by all of them together, what is being written included', async () => {
    const { shares } = team(3);
    const pool = { partBytes: 2048, draftBytes: 0 };
    const [, one, two] = shares.map((share) => {
      const usage = new Usage({ storedBytes: 10 * 1024 }, testClock(), rowOf(share));
      const mine = { draftBytes: 0 };
      usage.follow({
        get partBytes() {
          return pool.partBytes;
        },
        get draftBytes() {
          return mine.draftBytes;
        },
      });
      const budget = usage.budget();
      return { usage, mine, reserve: (sizeBytes: number) => budget.reserve('tokens', sizeBytes) };
    }) as [Writer, Writer, Writer];
    one.reserve(6144);
    one.mine.draftBytes = 6144;
    // Its own drafts count, and those of others.
    expect(await codeOf(() => one.reserve(4096))).toBe('budget_exceeded');
    expect(await codeOf(() => two.reserve(4096))).toBe('budget_exceeded');
    two.reserve(2048);
    two.mine.draftBytes = 2048;
    expect(await codeOf(() => one.reserve(1))).toBe('budget_exceeded');
    // Published: it is the pool that counts it now.
    one.mine.draftBytes = 0;
    pool.partBytes += 6144;
    one.usage.begin(0);
    one.usage.end(0);
    expect(await codeOf(() => two.reserve(1))).toBe('budget_exceeded');
    pool.partBytes -= 1024;
    two.reserve(1024);
    (shares[0] as SharedUsage).clear(2);
    one.reserve(3072);
  });

  it('forgets what was in flight when a quota came or went meanwhile', () => {
    const { shares } = team(3);
    const [, one, two] = shares.map(
      (share) => new Usage({ inFlightBytes: 10_000 }, testClock(), rowOf(share)),
    ) as [Usage, Usage, Usage];
    one.begin(10_000);
    one.quotas = {};
    one.end(10_000);
    one.quotas = { inFlightBytes: 10_000 };
    two.begin(10_000);
  });

  it('keeps tenants apart', () => {
    const { shares } = team(2);
    const [, worker] = shares as [SharedUsage, SharedUsage];
    rowOf(worker, 'acme').hold(5000);
    expect(rowOf(shares[0] as SharedUsage, 'acme').heldByOthers()).toBe(5 * 1024);
    expect(rowOf(shares[0] as SharedUsage, 'other').heldByOthers()).toBe(0);
  });

  it('has rows for 4,096 tenants, and says when there are no more', () => {
    const { shares } = team(1);
    const [share] = shares as [SharedUsage];
    const rows = Array.from({ length: 4096 }, (_, i) => share.tenant(`tenant-${i}`));
    expect(rows).not.toContain(undefined);
    expect(share.tenant('one-more')).toBeUndefined();
    (share.tenant('tenant-77') as TenantUsage).hold(1);
    expect(rows.filter((row) => (row as TenantUsage).heldByOthers() > 0)).toEqual([]);
  });

  it('passes a rate at all of them together, and a second of it at once at most', () => {
    const clock = testClock();
    const { shares } = team(4);
    const rates = fc.constantFrom(1, 3, 50, 999, 1000, 20_000);
    const pauses = fc.array(fc.nat(2500), { minLength: 1, maxLength: 12 });
    let number = 0;
    fc.assert(
      fc.property(rates, pauses, (rate, each) => {
        const rows = shares.map((share) => rowOf(share, `tenant-${number}`));
        number++;
        let passed = 0;
        let seconds = 1;
        for (const pause of each) {
          for (let tries = 0, refused = 0; refused < rows.length && tries < 50_000; tries++) {
            const row = rows[tries % rows.length] as TenantUsage;
            const waitMs = row.take(rate, clock);
            if (waitMs === 0) passed++;
            refused = waitMs === 0 ? 0 : refused + 1;
          }
          // Times are rounded to a sixteenth of a millisecond, and parcels to a thousandth of a second.
          expect(passed).toBeLessThanOrEqual(rate * seconds * 1.01 + 4 * Math.ceil(rate / 1000));
          expect(passed).toBeGreaterThanOrEqual(Math.floor(rate * Math.min(seconds, 1) * 0.98));
          clock.advance(pause);
          seconds += pause / 1000;
        }
      }),
      { seed: seed(), numRuns: rounds(30, 300) },
    );
  });

  it('lets pass again after a clock that was set back, and nothing ever at a rate of 0', () => {
    const clock = testClock();
    const { shares } = team(1);
    const row = rowOf(shares[0] as SharedUsage);
    expect(row.take(1, clock)).toBe(0);
    expect(row.take(1, clock)).toBeGreaterThan(0);
    clock.advance(-3_600_000);
    expect(row.take(1, clock)).toBe(0);
    expect(row.take(0, clock)).toBe(Infinity);
  });

  // Times are modulo 2^32 sixteenths of a millisecond: each 74.6 hours a zero is less than a second ahead of now.
  it('gives a tenant that was never here its whole second, whatever the time', () => {
    const clock = testClock(2 ** 28 - 500);
    const { shares } = team(1);
    const row = rowOf(shares[0] as SharedUsage);
    const passed = Array.from({ length: 60 }, () => row.take(50, clock)).filter((ms) => ms === 0);
    expect(passed).toHaveLength(50);
  });

  it('keeps a rate over the turn of its times', () => {
    const { shares } = team(1);
    const row = rowOf(shares[0] as SharedUsage);
    // The first second ends where times turn to 0.
    const clock = testClock(2 ** 28 - 1000);
    const taken = () =>
      Array.from({ length: 60 }, () => row.take(50, clock)).filter((ms) => ms === 0).length;
    expect([taken(), taken()]).toEqual([50, 0]);
  });

  it('is made anew by whoever starts the workers, and reads zeros once closed', () => {
    const { shares, path } = team(2);
    const row = rowOf(shares[1] as SharedUsage);
    row.hold(4096);
    const next = SharedUsage.create(path);
    expect(existsSync(path)).toBe(true);
    expect(rowOf(next).heldByOthers()).toBe(0);
    next.close();
    expect(workersMax).toBe(64);
  });
});
