/** Every change that an owner makes beside others, brought about by as little as possible. */

import type { Ref } from '../../../src/memory/region.ts';
import type { House } from './house.ts';
import { kib, mib, type SmallRegionShape } from './regions.ts';

export interface Operation {
  readonly name: string;
  /** Whether it is about long runs; not beside one that leaves no room for them. */
  readonly needsRoom?: boolean;
  readonly leavesRoom?: boolean;
  /**
   * Brings about the state before it.
   * @param slot who will do it
   * @param other another owner, who lives
   * @returns the operation, and what it may take away or make
   */
  readonly prepare: (
    house: House,
    slot: number,
    other: number,
  ) => { act: () => void; touches?: readonly Ref[] };
}

export const houseShape: SmallRegionShape = { segmentBytes: [2 * mib, 320 * kib] };

const pageBytes = 4096;
/** Blocks of this size: four to a slab of 16 KiB, and their stack holds eight. */
const quarter = pageBytes;

function many(count: number, make: () => Ref): Ref[] {
  return Array.from({ length: count }, make);
}

/** Frees adjacent runs of an owner: those at `before` are free already when the one at `freed` is freed. */
function coalescing(
  name: string,
  pages: number,
  before: readonly number[],
  freed: number,
): Operation {
  return {
    name,
    prepare: (house, slot, other) => {
      const runs = many(5, () => house.allocate(slot, 3, pages * pageBytes));
      for (const index of before) house.free(other, runs[index] as Ref);
      house.of(slot).flush();
      house.of(other).flush();
      const ref = runs[freed] as Ref;
      return { touches: [ref], act: () => house.free(slot, ref) };
    },
  };
}

export const operations: readonly Operation[] = [
  {
    name: 'allocate from a stack',
    prepare: (house, slot) => {
      house.allocate(slot, 1, 64);
      return { act: () => void house.allocate(slot, 1, 64, false) };
    },
  },
  {
    name: 'refill from a slab in use',
    prepare: (house, slot) => {
      many(7, () => house.allocate(slot, 1, 64));
      return { act: () => void house.allocate(slot, 1, 64, false) };
    },
  },
  {
    name: 'make a slab',
    prepare: (house, slot) => ({ act: () => void house.allocate(slot, 2, 3_000, false) }),
  },
  {
    name: 'free an own block',
    prepare: (house, slot) => {
      const [ref] = many(3, () => house.allocate(slot, 1, 64)) as [Ref];
      return { touches: [ref], act: () => house.free(slot, ref) };
    },
  },
  {
    name: 'free blocks of another owner',
    prepare: (house, slot, other) => {
      const refs = many(3, () => house.allocate(other, 1, 200));
      return {
        touches: refs,
        act: () => {
          for (const ref of refs) house.free(slot, ref);
        },
      };
    },
  },
  {
    name: 'collect in a refill',
    prepare: (house, slot, other) => {
      const refs = many(24, () => house.allocate(slot, 4, quarter));
      for (const ref of refs.slice(3, 8)) house.free(other, ref);
      return { act: () => void many(3, () => house.allocate(slot, 4, quarter, false)) };
    },
  },
  {
    name: 'spill, and give slabs back',
    prepare: (house, slot) => {
      const refs = many(20, () => house.allocate(slot, 4, quarter));
      return {
        touches: refs,
        act: () => {
          for (const ref of refs.slice(0, 18)) house.free(slot, ref);
        },
      };
    },
  },
  {
    name: 'flush, with news',
    prepare: (house, slot, other) => {
      const refs = many(8, () => house.allocate(slot, 4, quarter));
      for (const ref of refs.slice(2)) house.free(other, ref);
      house.allocate(slot, 2, 100);
      return { act: () => house.of(slot).flush() };
    },
  },
  {
    name: 'leave',
    prepare: (house, slot, other) => {
      const refs = many(6, () => house.allocate(slot, 4, quarter));
      house.free(other, refs[1] as Ref);
      house.allocate(slot, 2, 100);
      return { act: () => house.of(slot).leave() };
    },
  },
  {
    name: 'take over a slab of nobody',
    prepare: (house, slot, other) => {
      const gone = house.join(9);
      const refs = many(5, () => house.allocate(9, 1, 1_000));
      house.leave(9);
      house.free(other, refs[2] as Ref);
      void gone;
      return { act: () => void house.allocate(slot, 1, 1_000, false) };
    },
  },
  {
    name: 'free into slabs of nobody',
    prepare: (house, slot) => {
      house.join(9);
      const refs = many(12, () => house.allocate(9, 4, quarter));
      house.leave(9);
      const touches = [refs[1], refs[5], refs[2]] as Ref[];
      return {
        touches,
        act: () => {
          for (const ref of touches) house.free(slot, ref);
        },
      };
    },
  },
  {
    name: 'free the last block of a slab of nobody',
    prepare: (house, slot, other) => {
      house.join(9);
      const refs = many(4, () => house.allocate(9, 4, quarter));
      for (const ref of refs.slice(1)) house.free(other, ref);
      house.leave(9);
      const touches = [refs[0] as Ref];
      return { touches, act: () => house.free(slot, refs[0] as Ref) };
    },
  },
  {
    name: 'leave full slabs for a new one',
    prepare: (house, slot, other) => {
      const refs = many(16, () => house.allocate(slot, 4, quarter));
      house.free(other, refs[9] as Ref);
      return { act: () => void many(4, () => house.allocate(slot, 4, quarter, false)) };
    },
  },
  {
    name: 'share when asked',
    prepare: (house, slot, other) => {
      const refs = many(10, () => house.allocate(slot, 4, quarter));
      house.free(other, refs[1] as Ref);
      house.free(slot, refs[6] as Ref);
      house.of(other).askToShare();
      return { act: () => house.of(slot).notice() };
    },
  },
  {
    name: 'free and allocate a short run',
    prepare: (house, slot) => {
      const ref = house.allocate(slot, 2, 2 * pageBytes);
      return {
        touches: [ref],
        act: () => {
          house.free(slot, ref);
          house.allocate(slot, 4, 2 * pageBytes, false);
        },
      };
    },
  },
  {
    name: 'free a short run of another owner',
    prepare: (house, slot, other) => {
      const ref = house.allocate(other, 2, 2 * pageBytes);
      return { touches: [ref], act: () => house.free(slot, ref) };
    },
  },
  {
    name: 'take a long run',
    prepare: (house, slot) => ({
      act: () => void house.allocate(slot, 3, 40 * pageBytes, false),
    }),
  },
  coalescing('free a run between two in use', 12, [], 1),
  coalescing('free a run between two free ones', 12, [0, 2], 1),
  {
    name: 'free a run of metadata of another owner',
    prepare: (house, slot, other) => {
      const ref = house.allocate(other, 0, 3 * pageBytes);
      return { touches: [ref], act: () => house.free(slot, ref) };
    },
  },
  {
    name: 'keep and unkeep, own and others',
    prepare: (house, slot, other) => {
      const owners = [slot, slot, other, other];
      const refs = owners.map((owner, i) => house.allocate(owner, 1, i % 2 === 0 ? 64 : 9_000));
      return {
        touches: refs,
        act: () => {
          for (const ref of refs) house.of(slot).unkeep(ref);
          for (const ref of refs) house.of(slot).keep(ref);
        },
      };
    },
  },
  {
    name: 'give free memory back to the system',
    needsRoom: true,
    prepare: (house, slot, other) => {
      const runs = many(4, () => house.allocate(slot, 3, 17 * pageBytes));
      house.allocate(other, 0, 3 * pageBytes);
      house.free(slot, runs[0] as Ref);
      house.of(slot).giveBack();
      house.free(slot, runs[2] as Ref);
      return { act: () => void house.of(slot).giveBack() };
    },
  },
  {
    name: 'take memory again',
    needsRoom: true,
    prepare: (house, slot) => {
      house.of(slot).giveBack();
      return {
        act: () => {
          house.allocate(slot, 3, 40 * pageBytes, false);
          house.allocate(slot, 2, 3_000, false);
          house.allocate(slot, 0, 3 * pageBytes, false);
        },
      };
    },
  },
  {
    name: 'free runs beside absent ones',
    needsRoom: true,
    prepare: (house, slot, other) => {
      const runs = many(7, () => house.allocate(slot, 3, 17 * pageBytes));
      for (const index of [0, 2, 4]) house.free(other, runs[index] as Ref);
      house.of(other).giveBack();
      // One between two, and one before the third.
      const touches = [runs[1] as Ref, runs[5] as Ref];
      return {
        touches,
        act: () => {
          for (const ref of touches) house.free(slot, ref);
        },
      };
    },
  },
  {
    name: 'find memory when the system has none',
    needsRoom: true,
    prepare: (house, slot) => {
      const runs = many(4, () => house.allocate(slot, 3, 24 * pageBytes));
      house.of(slot).giveBack();
      const ref = runs[1] as Ref;
      house.free(slot, runs[3] as Ref);
      house.free(slot, ref);
      return {
        act: () => {
          house.regions.get(slot)?.setFull(true);
          house.allocate(slot, 3, 24 * pageBytes, false);
          house.allocate(slot, 3, 24 * pageBytes, false);
          house.allocate(slot, 3, 24 * pageBytes, false);
          house.allocate(slot, 2, 3_000, false);
          house.regions.get(slot)?.setFull(false);
        },
      };
    },
  },
  {
    name: 'grow',
    leavesRoom: false,
    prepare: (house, slot) => {
      house.allocate(slot, 3, 1_900 * kib);
      return { act: () => void house.allocate(slot, 3, 180 * kib, false) };
    },
  },
  {
    name: 'drop a segment',
    leavesRoom: false,
    prepare: (house, slot) => {
      const ref = house.allocate(slot, 3, 1_900 * kib);
      const other = house.allocate(slot, 3, 180 * kib);
      house.free(slot, other);
      void ref;
      return { act: () => void house.of(slot).dropEmptySegments() };
    },
  },
  {
    name: 'recover a dead owner',
    prepare: (house, slot, other) => {
      house.join(11);
      const kept = many(6, () => house.allocate(11, 4, quarter));
      house.free(other, kept[1] as Ref);
      house.allocate(11, 2, 300, false);
      house.allocate(11, 2, 9_000, false);
      house.allocate(11, 3, 9_000);
      house.free(11, house.allocate(11, 3, 2 * pageBytes));
      house.free(11, house.allocate(other, 1, 64));
      house.die(11);
      return { act: () => void house.of(slot).recoverOwner(11) };
    },
  },
];
