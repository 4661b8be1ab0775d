/** A table of the index is freed when all of it has moved, while another recovers the owner who had made it and died: it goes once. */

import { describe, expect, it, vi } from 'vitest';
import { createAllocator, openAllocator } from '../../src/alloc/allocator.ts';
import { metadataKind } from '../../src/alloc/kind.ts';
import { createSharedRegion } from '../../src/memory/shared.ts';
import { RefIndex } from '../../src/store/ref-index.ts';
import type { Table } from '../../src/store/ref-table.ts';
import { unlessBusy } from '../alloc/support/house.ts';
import { impatient, mortalJoin } from '../memory/support/mortal.ts';
import { identity, mib } from '../memory/support/regions.ts';
import { accessCount, disarm, interruptApart, sameUntil } from '../support/instrumented-words.ts';

vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));

describe.each([8, 9])('a table of 2^%i slots', (log2) => {
  it('is freed by who has moved what was in it', () => {
    for (let k = 1, isOver = false; !isOver; k = Math.max(k, sameUntil()) + 1) {
      const region = createSharedRegion({ capacityBytes: 4 * mib, ...identity }, impatient);
      const allocator = createAllocator(region, { lockWaitMs: 0 });
      const heir = openAllocator(mortalJoin(region).region, { lockWaitMs: 0 });
      const { region: lost, die } = mortalJoin(region);
      const dead = openAllocator(lost, { lockWaitMs: 0 });
      const allocate = (sizeBytes: number): number => dead.allocate(metadataKind, sizeBytes);
      const make = (slotsLog2: number): number => RefIndex.create(lost, dead, allocate, slotsLog2);
      lost.commit({ rootParts: make(log2 + 1), rootPartsOld: make(log2) });
      die();
      region.refresh();
      const open = RefIndex.opener(
        region,
        allocator,
        () => 0,
        () => undefined,
      );
      const index = open('rootParts');
      const old = index.old as Table;
      old.cursor = old.mask;
      let isRecovered = false;
      const recover = (): void => void heir.recoverOwner(lost.ownerSlot);
      interruptApart(k, () => (isRecovered = unlessBusy(recover)));
      index.insert(1, 64);
      isOver = accessCount() < k;
      disarm();
      if (!isRecovered) recover();
      const kept: number[] = [];
      allocator.walk(({ ref }) => void kept.push(ref));
      expect([k, kept]).toEqual([k, [region.superblock.rootParts]]);
      for (const each of [allocator, heir]) {
        each.flush();
        expect([k, each.check()]).toEqual([k, []]);
      }
    }
  });
});
