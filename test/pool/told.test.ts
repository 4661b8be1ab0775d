/** What hooks are told: every byte that is taken is given back, every change is recorded, and what leaves is shown as it was. */

import { cpSync } from 'node:fs';

import { describe, expect, it } from 'vitest';
import { CenoteError } from '../../src/errors.ts';
import type { KindName, OpenOptions, Pool } from '../../src/pool/api.ts';
import type { Hooks, RemovalReason } from '../../src/store/hooks.ts';
import { expectSound, filled, freshPath, mib, pool, refuses, testClock } from './support/pools.ts';

interface Told {
  readonly hooks: Hooks;
  /** Bytes reserved and not refunded, by kind. */
  readonly reserved: Map<KindName, number>;
  readonly actions: [action: string, id: string, part: string, version: number][];
  readonly left: [id: string, part: string, version: number, bytes: Buffer, RemovalReason][];
  /** A budget of so many bytes in all. */
  limitBytes: number;
}

function listen(): Told {
  const told: Told = {
    reserved: new Map(),
    actions: [],
    left: [],
    limitBytes: Infinity,
    hooks: {
      budget: {
        reserve(kind, sizeBytes) {
          const all = [...told.reserved.values()].reduce((sum, bytes) => sum + bytes, 0);
          if (all + sizeBytes > told.limitBytes) {
            throw new CenoteError('budget_exceeded', 'The quota is used up.');
          }
          told.reserved.set(kind, (told.reserved.get(kind) ?? 0) + sizeBytes);
        },
        refund(kind, sizeBytes) {
          told.reserved.set(kind, (told.reserved.get(kind) ?? 0) - sizeBytes);
        },
      },
      audit: { record: (...what) => void told.actions.push(what) },
      tierSink: {
        leaving: (id, part, version, bytes, reason) =>
          void told.left.push([id, part, version, Buffer.from(bytes), reason]),
      },
    },
  };
  return told;
}

async function toldPool(options: OpenOptions = {}): Promise<[Pool, Told]> {
  const told = listen();
  return [await pool({ capacityBytes: 4 * mib, hooks: told.hooks, ...options }), told];
}

/** What is reserved now, without kinds of which nothing is. */
function held({ reserved }: Told): [KindName, number][] {
  return [...reserved].filter(([, bytes]) => bytes !== 0);
}

function expectNothingReserved(told: Told): void {
  expect(held(told)).toEqual([]);
}

describe('a budget', () => {
  it('gets everything back, whatever becomes of a part', async () => {
    const clock = testClock();
    const [of, told] = await toldPool({ clock });
    of.put('a', 'p', filled(1000, 1), { kind: 'attention' });
    expect(told.reserved.get('attention')).toBeGreaterThanOrEqual(1000);
    of.put('a', 'p', filled(5000, 1), { kind: 'tokens' });
    expect(told.reserved.get('attention')).toBe(0);
    of.append('a', 'p', filled(50_000, 1));
    of.put('a', 'empty', '');
    of.put('a', 'q', filled(100, 1), { ttlMs: 10 });
    of.put('a', 'r', filled(100, 1), { tags: ['t'] });
    const lease = of.get('a', 'r');
    of.invalidate({ tag: 't' });
    clock.advance(10);
    of.sweepExpired();
    of.delete('a');
    expect(told.reserved.get('blob')).toBeGreaterThanOrEqual(100);
    lease?.release();
    expectNothingReserved(told);
    for (let i = 0; i < 300; i++) of.put(`${i}`, 'p', filled(40_000, 1));
    const { liveBytes } = of.stats().memory.kinds[4] ?? {};
    expect(told.reserved.get('blob')).toBe(liveBytes);
    for (let i = 0; i < 300; i++) of.delete(`${i}`);
    expectNothingReserved(told);
  });

  it('gets everything back when an operation fails', async () => {
    const [of, told] = await toldPool();
    const version = of.put('a', 'p', filled(100, 1));
    const before = held(told);
    const { maxPartBytes } = of.stats();
    refuses(() => of.put('a', 'p', filled(100, 2), { ifVersion: version + 1 }), 'version_conflict');
    refuses(() => of.append('a', 'p', 'text'), 'element_type_mismatch');
    refuses(() => of.put('a', 'p', new Uint8Array(maxPartBytes + 1)), 'value_too_large');
    const draft = of.beginPut('a', 'p', 10_000, { elementType: 'u32' });
    draft.write(filled(3, 1));
    refuses(() => draft.commit(), 'invalid_argument');
    const conflicting = of.beginPut('a', 'p', 10_000, { ifVersion: version });
    of.append('a', 'p', filled(1, 1));
    refuses(() => conflicting.commit(), 'version_conflict');
    const large = of.beginPut('a', 'q', 10_000);
    refuses(() => large.write(new Uint8Array(maxPartBytes + 1)), 'value_too_large');
    const aborted = of.beginPut('a', 'q', 10_000);
    aborted.write(filled(30_000, 1));
    aborted.abort();
    expect(held(told)).toEqual(before);
    of.pin('a');
    of.put('large', 'p', filled(2_000_000, 1), { pinned: true });
    const full = held(told);
    refuses(() => of.put('larger', 'p', filled(2_500_000, 1)), 'pool_full');
    refuses(() => of.append('a', 'p', filled(2_500_000, 1)), 'pool_full');
    expect(held(told)).toEqual(full);
    of.delete('a');
    of.delete('large');
    expectNothingReserved(told);
    expectSound(of);
  });

  it('gets everything back from drafts, closing included', async () => {
    const [of, told] = await toldPool({ path: freshPath() });
    const draft = of.beginPut('a', 'p', 100_000);
    draft.write(filled(100, 1));
    draft.commit();
    of.delete('a');
    expectNothingReserved(told);
    of.beginPut('a', 'p', 100_000).write(filled(100, 1));
    of.put('b', 'p', filled(100, 1));
    const lease = of.get('b', 'p');
    of.delete('b');
    await of.close();
    lease?.release();
    expectNothingReserved(told);
  });

  it('that is used up refuses, and nothing has changed', async () => {
    const [of, told] = await toldPool();
    const version = of.put('a', 'p', filled(1000, 1));
    const draft = of.beginPut('a', 'q', 3000);
    draft.write(filled(1000, 1));
    told.limitBytes = 10_000;
    const { liveBytes } = of.stats().memory;
    refuses(() => of.put('a', 'p', filled(20_000, 2)), 'budget_exceeded');
    refuses(() => of.append('a', 'p', filled(20_000, 2)), 'budget_exceeded');
    refuses(() => of.beginPut('b', 'p', 20_000), 'budget_exceeded');
    expect(of.stats().memory.liveBytes).toBe(liveBytes);
    expect(of.describe('a', 'p')).toMatchObject({ version, sizeBytes: 1000 });
    // A draft that fits is committed even where there is no budget for the smaller copy it would rather have.
    told.limitBytes = 0;
    draft.commit();
    expect(of.describe('a', 'q')?.sizeBytes).toBe(1000);
    refuses(() => of.put('c', 'p', filled(1, 1)), 'budget_exceeded');
    of.delete('a');
    expectNothingReserved(told);
    expectSound(of);
  });
});

describe('a budget of an existing pool', () => {
  /** A budget that knows the bytes of all blocks, those from before included. */
  function counting(): { heldBytes: number; readonly hooks: Partial<Hooks> } {
    const counted = {
      heldBytes: 0,
      hooks: {
        budget: {
          opened: (sizeBytes: number) => void (counted.heldBytes += sizeBytes),
          reserve: (_: KindName, sizeBytes: number) => void (counted.heldBytes += sizeBytes),
          refund: (_: KindName, sizeBytes: number) => void (counted.heldBytes -= sizeBytes),
        },
      },
    };
    return counted;
  }

  it.each(['closed', 'died'])('that was %s is told what there is', async (ending) => {
    const path = freshPath();
    const first = counting();
    const before = await pool({ path, capacityBytes: 4 * mib, hooks: first.hooks });
    expect(first.heldBytes).toBe(0);
    for (let i = 0; i < 100; i++) before.put(`${i}`, 'p', filled(50 * i, 1));
    before.append('7', 'p', filled(10_000, 1));
    const { heldBytes } = first;
    expect(heldBytes).toBeGreaterThan(240_000);
    let copy = path;
    if (ending === 'closed') {
      await before.close();
    } else {
      copy = freshPath();
      cpSync(path, copy, { recursive: true });
    }
    const second = counting();
    const after = await pool({ path: copy, hooks: second.hooks });
    expect(second.heldBytes).toBe(heldBytes);
    for (const { id } of after.list()) after.delete(id);
    expect(second.heldBytes).toBe(0);
  });
});

describe('a budget of contexts', () => {
  it('is asked before a context comes to be, and only then', async () => {
    const asked: number[] = [];
    const of = await pool({
      capacityBytes: 4 * mib,
      hooks: {
        budget: {
          reserve: () => {},
          refund: () => {},
          admitContext(contexts) {
            asked.push(contexts);
            if (contexts >= 2) throw new CenoteError('budget_exceeded', 'Two are enough.');
          },
        },
      },
    });
    of.put('a', 'p', 'text');
    of.put('a', 'q', 'text');
    of.put('a', 'p', 'other');
    of.append('b', 'p', 'text');
    of.append('b', 'q', 'text');
    expect(asked).toEqual([0, 1]);
    const late = of.beginPut('a', 'r', 10);
    const { liveBytes } = of.stats().memory;
    refuses(() => of.put('c', 'p', 'text'), 'budget_exceeded');
    refuses(() => of.append('c', 'p', 'text'), 'budget_exceeded');
    refuses(() => of.beginPut('c', 'p', 10), 'budget_exceeded');
    expect(of.stats()).toMatchObject({ contexts: 2, memory: { liveBytes } });
    of.delete('a');
    of.put('c', 'p', 'text');
    // The draft's context went meanwhile, and another took its place.
    refuses(() => late.commit(), 'budget_exceeded');
    of.delete('b');
    of.put('d', 'p', 'text');
    expect(of.list().map(({ id }) => id)).toEqual(['c', 'd']);
    expectSound(of);
  });
});

describe('the audit', () => {
  it('records what was done, in order', async () => {
    const clock = testClock();
    const [of, { actions }] = await toldPool({ clock });
    const first = of.put('a', 'p', 'one');
    const second = of.append('a', 'p', ' two');
    of.get('a', 'p')?.release();
    const third = of.put('a', 'p', 'three');
    const draft = of.beginPut('b', 'q', 10, { tags: ['t'] });
    draft.write(filled(1, 1));
    const fourth = draft.commit();
    of.get('none', 'p');
    of.delete('a', 'p');
    of.delete('a', 'p');
    of.invalidate({ tag: 't' });
    const fifth = of.append('c', 'p', 'new');
    of.expire('c', 10);
    clock.advance(10);
    of.get('c', 'p');
    refuses(() => of.put('c', 'p', 'x', { ifVersion: 5 }), 'version_conflict');
    expect(actions).toEqual([
      ['put', 'a', 'p', first],
      ['append', 'a', 'p', second],
      ['get', 'a', 'p', second],
      ['put', 'a', 'p', third],
      ['put', 'b', 'q', fourth],
      ['delete', 'a', 'p', third],
      ['invalidate', 'b', 'q', fourth],
      ['append', 'c', 'p', fifth],
      ['expire', 'c', 'p', fifth],
    ]);
  });

  it('records evictions', async () => {
    const [of, { actions }] = await toldPool();
    const version = of.put('first', 'p', filled(50_000, 1));
    for (let i = 0; of.where('first', 'p') !== undefined; i++)
      of.put(`${i}`, 'p', filled(50_000, 1));
    expect(actions).toContainEqual(['evict', 'first', 'p', version]);
  });
});

describe('the tier sink', () => {
  it('sees what leaves, as it was', async () => {
    const clock = testClock();
    const [of, { left }] = await toldPool({ clock });
    const longId = 'i'.repeat(512);
    const first = of.put(longId, 'p', 'one', { tags: ['t'] });
    const second = of.put(longId, 'p', 'two', { tags: ['t'] });
    of.append(longId, 'p', '!');
    of.invalidate({ tag: 't' });
    const third = of.put('a', 'p', '');
    of.delete('a');
    const fourth = of.put('b', 'p', 'time', { ttlMs: 1 });
    clock.advance(1);
    of.sweepExpired();
    const fifth = of.put('c', 'p', filled(50_000, 7));
    for (let i = 0; of.where('c', 'p') !== undefined; i++) of.put(`${i}`, 'p', filled(50_000, 1));
    expect(left.slice(0, 4)).toEqual([
      [longId, 'p', first, Buffer.from('one'), 'replaced'],
      [longId, 'p', second + 1, Buffer.from('two!'), 'invalidated'],
      ['a', 'p', third, Buffer.alloc(0), 'deleted'],
      ['b', 'p', fourth, Buffer.from('time'), 'expired'],
    ]);
    expect(left).toContainEqual(['c', 'p', fifth, Buffer.alloc(50_000, 7), 'evicted']);
  });
});
