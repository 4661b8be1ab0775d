/** Hooks that misbehave: they throw, they call the pool back, they let leases go. */

import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import type { Pool } from '../../src/pool/api.ts';
import { openPool } from '../../src/pool/open.ts';
import type { Hooks } from '../../src/store/hooks.ts';

const mib = 2 ** 20;

let pool: Pool;
let warn: MockInstance;
/** What the hooks under test do; nothing while a pool is prepared. */
let act: (hook: string) => void;

const hooks: Hooks = {
  audit: { record: () => act('record') },
  tierSink: { leaving: () => act('leaving') },
  budget: { reserve: () => act('reserve'), refund: () => act('refund') },
};

beforeEach(async () => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  act = () => undefined;
  pool = await openPool({ capacityBytes: 4 * mib, hooks });
  pool.put('a', 'p', Uint8Array.of(1));
  pool.put('b', 'p', Uint8Array.of(1), { tags: ['t'] });
  pool.put('b', 'q', Uint8Array.of(1));
  pool.put('other', 'x', Uint8Array.of(5));
});

afterEach(async () => {
  act = () => undefined;
  await pool.close();
  vi.restoreAllMocks();
});

function work(): void {
  pool.put('a', 'p', Uint8Array.of(2, 2));
  pool.append('a', 'p', new Uint8Array(500));
  pool.delete('b', 'p');
  pool.delete('b');
  pool.put('c', 'long'.repeat(100), 'text', { tags: ['t'] });
  pool.invalidate({ tag: 't' });
}

function expectWorked(): void {
  act = () => undefined;
  const lease = pool.get('a', 'p');
  expect(lease?.sizeBytes).toBe(502);
  lease?.release();
  expect(pool.list().map(({ id }) => id)).toEqual(['a', 'other']);
  expect(pool.check().errors).toEqual([]);
  expect(pool.stats()).toMatchObject({ parts: 2, retiredParts: 0 });
}

describe('a hook that throws', () => {
  for (const which of ['record', 'leaving', 'refund']) {
    it(`is reported and changes nothing: ${which}`, () => {
      act = (hook) => {
        if (hook === which) throw new Error('down');
      };
      work();
      expectWorked();
      expect(warn).toHaveBeenCalled();
    });
  }

  it('leaves no lease behind when a get is recorded', () => {
    act = () => {
      throw new Error('down');
    };
    pool.get('a', 'p')?.release();
    act = () => undefined;
    pool.delete('a');
    expect(pool.stats().retiredParts).toBe(0);
  });

  it('refuses a write when it is the budget that reserves', () => {
    act = (hook) => {
      if (hook === 'reserve') throw new Error('no more');
    };
    expect(() => pool.put('a', 'p', Uint8Array.of(3))).toThrow('no more');
    act = () => undefined;
    expect(pool.get('a', 'p')?.data).toEqual(Uint8Array.of(1));
    expect(pool.check().errors).toEqual([]);
  });
});

describe('a hook that calls the pool', () => {
  const calls: Record<string, () => unknown> = {
    get: () => pool.get('other', 'x'),
    put: () => pool.put('other', 'y', Uint8Array.of(1)),
    delete: () => pool.delete('a'),
    list: () => pool.list(),
    check: () => pool.check(),
  };
  for (const [name, call] of Object.entries(calls)) {
    it(`is refused: ${name}`, () => {
      const codes = new Set<unknown>();
      act = () => {
        try {
          call();
        } catch (error) {
          codes.add((error as { code?: unknown }).code);
        }
      };
      work();
      expect([...codes]).toEqual(['called_from_hook']);
      expectWorked();
    });
  }

  it('may let leases go', () => {
    const leases = [pool.get('other', 'x'), pool.get('a', 'p'), pool.get('b', 'p')];
    act = () => leases.pop()?.release();
    work();
    pool.sweepExpired();
    expectWorked();
  });

  it('cannot close it', async () => {
    const closed: Promise<void>[] = [];
    act = () => void closed.push(pool.close());
    pool.put('a', 'p', Uint8Array.of(2));
    act = () => undefined;
    const results = await Promise.allSettled(closed);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(pool.get('a', 'p')?.sizeBytes).toBe(1);
  });
});
