/** How several owners open, close and leave one store. */

import assert from 'node:assert/strict';
import { beforeEach, describe, expect, it } from 'vitest';
import { fail } from '../../src/errors.ts';
import { control, controlByte, segmentLockWord } from '../../src/memory/layout.ts';
import { lockTokenOf } from '../../src/memory/lock.ts';
import { ownerSlot, ownerWord } from '../../src/memory/owners.ts';
import { type Segment, wordsOf } from '../../src/memory/region.ts';
import { attachSharedRegion } from '../../src/memory/shared.ts';
import { store as storeWord } from '../../src/memory/words.ts';
import { partOf } from '../../src/store/contexts.ts';
import { segmentOf, wordOf } from '../../src/store/entry.ts';
import { closeStore } from '../../src/store/open.ts';
import { withPen } from '../../src/store/pen.ts';
import { reapOwner } from '../../src/store/reap.ts';
import {
  abandon,
  anotherPool,
  leakedBlocks,
  newMemory,
  type OwnedPool,
  ownPool,
  ownRegion,
  type SharedHandle,
  stillOptions as options,
} from '../support/owned-memory.ts';
import { filled, read, refuses } from '../pool/support/pools.ts';

let memory: SharedHandle;
let first: OwnedPool;
let second: OwnedPool;

beforeEach(() => {
  memory = newMemory({ capacityBytes: 4 * 2 ** 20 });
  first = ownPool(ownRegion(memory), options);
  first.pool.put('a', 'p', filled(1000, 1));
  second = anotherPool(memory, options);
});

/** Dies with the pen in its hand. */
function dieWithPen({ store }: OwnedPool): void {
  store.pen.take();
  abandon(memory, store.region.ownerSlot);
}

describe('owners of one store', () => {
  it('write and read what the others write, and count each for itself', () => {
    second.pool.put('b', 'p', filled(10, 2));
    second.pool.append('a', 'p', filled(1, 3));
    first.pool.append('a', 'p', filled(1, 4));
    expect(read(second.pool, 'a', 'p')).toEqual(read(first.pool, 'a', 'p'));
    expect(read(first.pool, 'a', 'p')?.subarray(1000)).toEqual(Buffer.of(3, 4));
    expect(first.pool.delete('b')).toBe(1);
    expect(second.pool.get('b', 'p')).toBeUndefined();
    expect(first.pool.stats().operations).toEqual(second.pool.stats().operations);
    expect(first.pool.stats().operations).toMatchObject({ puts: 2, appends: 2, deletes: 1 });
  });

  it('join without recovery, and without doubt about what is there', () => {
    const { epoch } = first.store.region.superblock;
    const third = anotherPool(memory, options);
    expect(third.recovery).toBeUndefined();
    expect(third.store.region.superblock.epoch).toBe(epoch);
  });

  it('leave it as it is when one of several closes, and in order when the last one does', () => {
    closeStore(first.store);
    first.store.region.close();
    second.store.region.refresh();
    expect(second.store.region.superblock.clean).toBe(false);
    closeStore(second.store);
    expect(second.store.region.superblock.clean).toBe(true);
    second.store.region.close();
    const next = ownPool(ownRegion(memory), options);
    expect(next.recovery).toBeUndefined();
    expect(next.pool.check().errors).toEqual([]);
  });

  it('that open what was closed say so at once: from then on it is in order only when they close it', () => {
    for (const each of [first, second]) {
      closeStore(each.store);
      each.store.region.close();
    }
    const next = ownPool(ownRegion(memory), options);
    expect(next.recovery).toBeUndefined();
    expect(next.store.region.superblock.clean).toBe(false);
    abandon(memory, 0);
    expect(ownPool(ownRegion(memory), options).recovery?.parts).toBe(1);
  });

  it('are recovered by the next one when all have died', () => {
    abandon(memory, 0);
    abandon(memory, 1);
    const next = anotherPool(memory, options);
    expect(next.recovery?.parts).toBe(1);
    expect(next.pool.check().errors).toEqual([]);
    expect(next.pool.stats().ownersAlive).toBe(1);
  });

  it('refuse one that wants to be the only one', () => {
    refuses(() => anotherPool(memory, options, { zeroKinds: 0, exclusive: true }), 'pool_busy');
    expect(second.pool.put('a', 'p', 'x')).toBeGreaterThan(0);
  });

  it('read on while another keeps the pen, and are told that the pool is busy', () => {
    first.store.pen.take();
    expect(read(second.pool, 'a', 'p')).toEqual(Buffer.alloc(1000, 1));
    expect(second.pool.describe('a', 'p')?.sizeBytes).toBe(1000);
    expect(second.pool.list()).toHaveLength(1);
    expect(second.pool.has('a')).toBe(true);
    for (const write of [
      () => second.pool.put('a', 'p', 'x'),
      () => second.pool.append('a', 'p', filled(1, 1)),
      () => second.pool.delete('a'),
      () => second.pool.pin('a'),
      () => second.pool.invalidate({ tag: 't' }),
    ]) {
      refuses(write, 'pool_busy');
    }
    first.store.pen.give();
    expect(second.pool.delete('a')).toBe(1);
    assert.deepEqual(leakedBlocks(second.store), []);
  });

  it('inherit the pen of the dead, and only theirs', () => {
    dieWithPen(first);
    expect(read(second.pool, 'a', 'p')).toEqual(Buffer.alloc(1000, 1));
    second.pool.put('b', 'p', 'text');
    expect(second.pool.check().errors).toEqual([]);
    expect(second.pool.stats()).toMatchObject({ parts: 2, ownersAlive: 1 });
    second.store.pen.take();
    const third = anotherPool.bind(undefined, memory, options);
    refuses(third, 'pool_busy');
    second.store.pen.give();
  });

  it('bring in order what was broken also when its holder has been reaped, and its slot taken, before', () => {
    dieWithPen(first);
    const words = wordsOf(memory.buffers[0] as SharedArrayBuffer);
    const pen = (controlByte >>> 2) + control.pen;
    expect(reapOwner(second.store, 0)).toBe(true);
    const next = ownPool(ownRegion(memory), options);
    expect(next.recovery).toBeUndefined();
    expect(words[pen]).toBe(0);
    expect(words[(controlByte >>> 2) + control.penBroken]).toBe(0);
    expect(next.pool.check().errors).toEqual([]);
  });

  it('stay broken until somebody could bring them in order', () => {
    dieWithPen(first);
    const { region } = second.store;
    const commit = region.commit.bind(region);
    region.commit = () => {
      throw new Error('no');
    };
    expect(() => second.pool.put('b', 'p', 'text')).toThrow('no');
    expect(second.store.pen.isBroken).toBe(true);
    region.commit = commit;
    second.pool.put('b', 'p', 'text');
    expect(second.store.pen.isBroken).toBe(false);
    expect(second.pool.check().errors).toEqual([]);
  });

  it('that cannot clear up after who had their slot before leave that to others', () => {
    const draft = first.pool.beginPut('d', 'p', 100_000);
    draft.write(filled(1000, 1));
    const { words } = second.store.region.segments[0] as Segment;
    abandon(memory, 0);
    // The second has the segment's lock, and stands still.
    storeWord(words, segmentLockWord, lockTokenOf(second.store.region));
    ownRegion(memory).close();
    const region = ownRegion(memory);
    expect(region.slotAbandoned).toBe(true);
    refuses(() => ownPool(region, options), 'pool_busy');
    region.close();
    storeWord(words, segmentLockWord, 0);
    second.pool.sweepExpired();
    assert.deepEqual(leakedBlocks(second.store), []);
    expect(second.pool.check().errors).toEqual([]);
  });

  it('that cannot leave in order leave what they have to others', () => {
    const { usedBytes } = first.store.allocator;
    const draft = second.pool.beginPut('d', 'p', 100_000);
    draft.write(filled(1000, 1));
    second.store.pen.take = () => {
      throw new Error('no');
    };
    expect(() => closeStore(second.store)).toThrow('no');
    second.store.region.close();
    first.pool.sweepExpired();
    expect(first.store.allocator.usedBytes).toBe(usedBytes);
    expect(first.pool.check().errors).toEqual([]);
  });

  it('hold nothing that they could not get at', () => {
    const place = newMemory({ capacityBytes: 12 * 2 ** 20, segmentBytes: 4 * 2 ** 20 });
    const one = ownPool(ownRegion(place), options);
    one.pool.put('a', 'p', filled(2 ** 20, 1));
    const other = anotherPool(place, options);
    const ref = partOf(one.store, 'a', 'p');
    const { words } = segmentOf(one.store.region, ref);
    // In place, elsewhere: there is no room for both in the first segment.
    other.pool.put('b', 'p', filled(2 * 2 ** 20, 2));
    other.pool.put('a', 'p', filled(2 ** 20, 3));
    const { region } = one.store;
    const refresh = region.refresh.bind(region);
    region.refresh = () => fail('io_failed', 'no descriptor');
    refuses(() => one.pool.get('a', 'p'), 'io_failed');
    region.refresh = refresh;
    expect(one.store.isLeased(words, wordOf(region, ref))).toBe(false);
    expect(read(one.pool, 'a', 'p')?.[0]).toBe(3);
  });

  it('leave what a dead one intended to who brings the store in order', () => {
    const { words } = first.store.region.segments[0] as Segment;
    const at = ownerWord(1, ownerSlot.intentOp);
    abandon(memory, 1);
    storeWord(words, at, 77);
    expect(first.store.region.reclaim?.(1, () => undefined)).toBe(true);
    attachSharedRegion(memory).close();
    expect(words[at]).toBe(77);
  });

  it('hear of a segment that went, whatever failed after that', () => {
    const place = newMemory({ capacityBytes: 12 * 2 ** 20, segmentBytes: 4 * 2 ** 20 });
    const one = ownPool(ownRegion(place), options);
    const other = anotherPool(place, options);
    one.pool.put('a', 'p', filled(3 * 2 ** 20, 1));
    const draft = one.pool.beginPut('d', 'p', 3 * 2 ** 20);
    expect(one.store.region.segments.length).toBe(2);
    draft.abort();
    other.store.follower.catchUp();
    const { region } = one.store;
    const drop = region.dropSegment.bind(region);
    region.dropSegment = () => {
      drop();
      throw new Error('no');
    };
    expect(() => one.pool.trim()).toThrow('no');
    expect(region.segments.length).toBe(1);
    expect(other.store.follower.catchUp()).toBe(true);
  });

  it('free what another has retired when its last lease ends', () => {
    const leases = [1, 2, 3].map(() => second.pool.get('a', 'p'));
    first.pool.delete('a');
    expect(first.store.retired.size).toBe(1);
    for (const lease of leases) lease?.release();
    expect(first.store.retired.size).toBe(0);
    assert.deepEqual(leakedBlocks(first.store), []);
  });

  it('keep lists of what waits for leases together', () => {
    const parts = Array.from({ length: 9 }, (_, i) => `p${i}`);
    for (const part of parts) first.pool.put('w', part, filled(900, 1));
    const leases = parts.map((part) => second.pool.get('w', part));
    for (const part of parts) first.pool.delete('w', part);
    for (const i of [4, 0, 8, 3, 5]) leases[i]?.release();
    expect(first.store.retired.size).toBe(4);
    for (const i of [1, 2, 6, 7]) leases[i]?.release();
    expect(withPen(first.store, () => first.store.retired.size)).toBe(0);
    expect(first.pool.check().errors).toEqual([]);
    assert.deepEqual(leakedBlocks(first.store), []);
  });
});
