/** The pressure ladder: evict, trim, offload, preempt; never a crash, and no block is lost on the way. */

import { describe, expect, test } from 'vitest';
import {
  KvCache,
  type LadderOptions,
  later,
  noRoom,
  Offload,
  PressureLadder,
  step,
  type Transfer,
} from '../../src/kv/index.ts';
import { range } from './tokens.ts';

interface Bench {
  readonly kv: KvCache;
  readonly ladder: PressureLadder;
  readonly preempted: [sequence: number, transfer: Transfer | undefined][];
}

/** Four blocks of four tokens. */
function bench(order: LadderOptions['order'], far?: (kv: KvCache) => Offload): Bench {
  const kv = new KvCache({ blocks: 4, blockTokens: 4, requestsMax: 4 });
  const offload = far?.(kv);
  const preempted: Bench['preempted'] = [];
  const ladder = new PressureLadder(kv, {
    ...(order === undefined ? {} : { order }),
    ...(offload === undefined ? {} : { offload }),
    preempted: (sequence, transfer) => preempted.push([sequence, transfer]),
  });
  return { kv, ladder, preempted };
}

test('first idle blocks are evicted, and nobody waits', () => {
  const { kv, ladder, preempted } = bench('fcfs');
  kv.end(kv.prefill(range(50, 58)));
  const first = ladder.prefill(range(0, 8));
  expect(ladder.decode(first, 1)).toBe(step.grew);
  expect(ladder.append(first, range(0, 4))).toBe(step.grew);
  expect(preempted).toEqual([]);
  expect(kv.stats()).toMatchObject({ free: 0, idle: 0, used: 4 });
});

test('then what is reserved and not written is taken back', () => {
  const { kv, ladder, preempted } = bench('fcfs');
  const first = ladder.prefill(range(0, 4));
  expect(kv.reserve(first, 12)).toBe(true);
  expect(kv.stats()).toMatchObject({ free: 0, used: 4 });
  const second = ladder.prefill(range(20, 28));
  expect(second).not.toBe(noRoom);
  expect(kv.table(first)).toHaveLength(1);
  expect(kv.reserve(first, 4)).toBe(true);
  expect(ladder.decode(second, 1)).toBe(step.grew);
  expect(preempted).toEqual([]);
});

describe('then somebody is preempted', () => {
  test('FCFS preemption: whoever came last', () => {
    const { kv, ladder, preempted } = bench('fcfs');
    const first = ladder.prefill(range(0, 8), { priority: 0 });
    const second = ladder.prefill(range(20, 28), { priority: 9 });
    expect(ladder.decode(first, 1)).toBe(step.grew);
    expect(preempted).toEqual([[second, undefined]]);
    expect(kv.stats()).toMatchObject({ used: 3, sequences: 1 });
  });

  test('priority preemption: of the lowest priority, whoever came last', () => {
    const { ladder, preempted } = bench('priority');
    const first = ladder.prefill(range(0, 4), { priority: 1 });
    const low = ladder.prefill(range(20, 24), { priority: 0 });
    const lowLater = ladder.prefill(range(40, 44), { priority: 0 });
    const high = ladder.prefill(range(60, 64), { priority: 2 });
    expect(ladder.decode(high, 1)).toBe(step.grew);
    expect(ladder.decode(first, 1)).toBe(step.grew);
    expect(preempted.map(([sequence]) => sequence)).toEqual([lowLater, low]);
  });

  test('preempt during execution: the one that asks may be the one that waits', () => {
    const { kv, ladder, preempted } = bench('fcfs');
    const first = ladder.prefill(range(0, 8));
    const second = ladder.prefill(range(20, 28));
    expect(ladder.decode(second, 1)).toBe(noRoom);
    expect(preempted).toEqual([[second, undefined]]);
    expect(() => kv.decode(second, 1)).toThrow('there is no sequence');
    expect(ladder.decode(first, 1)).toBe(step.grew);
  });

  test('recompute: it finds again what has not been taken meanwhile', () => {
    const { kv, ladder, preempted } = bench('fcfs');
    const first = ladder.prefill(range(0, 8));
    ladder.prefill(range(20, 28));
    ladder.decode(first, 1);
    expect(preempted).toHaveLength(1);
    // Its last block went; the first is still there.
    kv.end(first);
    expect(kv.matchedTokens(ladder.prefill(range(20, 29)))).toBe(4);
  });

  test('a new prompt makes nobody wait', () => {
    const { kv, ladder, preempted } = bench('priority');
    ladder.prefill(range(0, 16));
    const before = kv.stats();
    expect(ladder.prefill(range(20, 28), { priority: 9 })).toBe(noRoom);
    expect(kv.stats()).toEqual(before);
    expect(preempted).toEqual([]);
  });

  test('alone and out of room, a sequence ends itself', () => {
    const { kv, ladder, preempted } = bench('fcfs');
    const only = ladder.prefill(range(0, 16));
    expect(ladder.decode(only, 1)).toBe(noRoom);
    expect(preempted).toHaveLength(1);
    expect(kv.stats()).toMatchObject({ used: 0, idle: 4, sequences: 0 });
  });
});

describe('with somewhere to store', () => {
  function stored(slots: number): Bench & { far: Offload } {
    let far: Offload | undefined;
    const made = bench('fcfs', (kv) => (far = new Offload(kv, { slots })));
    return { ...made, far: far as Offload };
  }

  test('whoever waits is stored first, and room comes when that is complete', () => {
    const { kv, ladder, preempted, far } = stored(8);
    const first = ladder.prefill(range(0, 8));
    ladder.prefill(range(20, 28));
    expect(ladder.decode(first, 1)).toBe(later);
    expect(ladder.decode(first, 1)).toBe(later);
    expect(kv.length(first)).toBe(8);
    expect(preempted).toHaveLength(1);
    const [, transfer] = preempted[0] as Bench['preempted'][0];
    far.complete((transfer as Transfer).id);
    expect(ladder.decode(first, 1)).toBe(step.grew);
    kv.end(first);
    kv.end(kv.prefill(range(70, 86)));
    const again = kv.prefill(range(20, 29), { computed: false });
    expect(kv.matchedTokens(again)).toBe(0);
    expect(far.prepareLoad(again)?.slots).toHaveLength(2);
  });

  test('a store that fails gives the room all the same', () => {
    const { ladder, preempted, far } = stored(8);
    const first = ladder.prefill(range(0, 8));
    ladder.prefill(range(20, 28));
    expect(ladder.decode(first, 1)).toBe(later);
    const [, transfer] = preempted[0] as Bench['preempted'][0];
    far.cancel((transfer as Transfer).id);
    expect(ladder.decode(first, 1)).toBe(step.grew);
  });

  test('with no room there either, it is preempted', () => {
    const { ladder, preempted } = stored(1);
    const first = ladder.prefill(range(0, 8));
    const second = ladder.prefill(range(20, 28));
    expect(ladder.decode(first, 1)).toBe(step.grew);
    expect(preempted).toEqual([[second, undefined]]);
  });

  test('a partial block of whoever is stored is free at once', () => {
    const { ladder, preempted } = stored(8);
    const first = ladder.prefill(range(0, 8));
    ladder.prefill(range(20, 26));
    expect(ladder.decode(first, 1)).toBe(step.grew);
    expect(preempted[0]?.[1]?.blocks).toHaveLength(1);
  });
});
