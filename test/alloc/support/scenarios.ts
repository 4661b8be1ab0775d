/** Every change that an allocator makes, brought about by as little as possible. */

import { ownerCounters } from '../../../src/alloc/counters.ts';
import type { Ref } from '../../../src/memory/region.ts';
import type { Held, Oracle } from './oracle.ts';
import type { Scenario } from './crashes.ts';
import { kib } from './regions.ts';

const small = { segmentBytes: [384 * kib] };
const growing = { segmentBytes: [288 * kib, 288 * kib] };
const large = { segmentBytes: [3072 * kib] };

function hold(oracle: Oracle, kind: number, sizeBytes: number, count = 1): Held[] {
  return Array.from({ length: count }, () => {
    const held = oracle.allocate(kind, sizeBytes);
    if (held === undefined) throw new Error('the scenario does not fit');
    oracle.allocator.keep(held.ref);
    held.kept = true;
    return held;
  });
}

function refs(held: readonly Held[]): Ref[] {
  return held.map(({ ref }) => ref);
}

function freeing(oracle: Oracle, held: readonly Held[]): { act: () => void; touches: Ref[] } {
  return {
    touches: refs(held),
    act: () => {
      for (const { ref, kind } of held) oracle.allocator.free(ref, kind);
    },
  };
}

/** Five adjacent runs; those at `before` are free already when the one at `freed` is freed. */
function coalescing(name: string, before: readonly number[], freed: number): Scenario {
  return {
    name,
    shape: small,
    prepare: (oracle) => {
      const runs = hold(oracle, 3, 16 * kib, 5);
      for (const index of before) {
        const { ref } = runs[index] as Held;
        oracle.free(oracle.held.findIndex((held) => held.ref === ref));
      }
      return freeing(oracle, [runs[freed] as Held]);
    },
  };
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'allocate from a stack',
    shape: small,
    prepare: (oracle) => {
      hold(oracle, 1, 64, 2);
      return { act: () => void oracle.allocator.allocate(1, 64) };
    },
  },
  {
    name: 'refill a stack from a slab in use',
    shape: small,
    prepare: (oracle) => {
      hold(oracle, 1, 64, 7);
      return { act: () => void oracle.allocator.allocate(1, 64) };
    },
  },
  {
    name: 'make a slab',
    shape: small,
    prepare: (oracle) => {
      hold(oracle, 1, 64);
      return { act: () => void oracle.allocator.allocate(2, 3_000) };
    },
  },
  {
    name: 'free into a stack',
    shape: small,
    prepare: (oracle) => freeing(oracle, hold(oracle, 1, 64, 3).slice(1, 2)),
  },
  {
    name: 'spill stacks and give slabs back',
    shape: small,
    prepare: (oracle) => freeing(oracle, hold(oracle, 1, 4_096, 24).slice(0, 20)),
  },
  {
    name: 'flush',
    shape: small,
    prepare: (oracle) => {
      for (const kind of [0, 2, 4]) hold(oracle, kind, 700, 3);
      const gone = hold(oracle, 3, 1_500, 5);
      for (const { ref, kind } of gone) oracle.allocator.free(ref, kind);
      oracle.held = oracle.held.filter((held) => !gone.includes(held));
      return { act: () => oracle.allocator.flush() };
    },
  },
  {
    name: 'take a run from the middle of a free one',
    shape: small,
    prepare: (oracle) => {
      hold(oracle, 1, 4_097);
      return { act: () => void oracle.allocator.allocate(3, 5 * 4_096) };
    },
  },
  {
    name: 'take and free the shortest run',
    shape: small,
    prepare: (oracle) => {
      hold(oracle, 0, 20_000);
      return {
        act: () => {
          const ref = oracle.allocator.allocate(0, 4_096 + 1);
          oracle.allocator.free(ref, 0);
        },
      };
    },
  },
  coalescing('free a run between two in use', [], 1),
  coalescing('free a run behind a free one', [0], 1),
  coalescing('free a run before a free one', [2], 1),
  coalescing('free a run between two free ones', [0, 2], 1),
  coalescing('free the last run before the free rest', [3], 4),
  {
    name: 'allocate and free extents',
    shape: large,
    prepare: (oracle) => {
      hold(oracle, 4, 5_000);
      const [extent] = hold(oracle, 3, 1_100_000);
      const { ref } = extent as Held;
      return {
        touches: [ref],
        act: () => {
          const other = oracle.allocator.allocate(3, 1_200_000);
          oracle.allocator.free(ref, 3);
          oracle.allocator.free(other, 3);
        },
      };
    },
  },
  {
    name: 'grow for a slab',
    shape: growing,
    prepare: (oracle) => {
      while (oracle.allocator.stats().freeBytes >= 16 * kib) hold(oracle, 3, 16 * kib);
      return { act: () => void oracle.allocator.allocate(1, 100) };
    },
  },
  {
    name: 'grow for a run',
    shape: growing,
    prepare: (oracle) => {
      hold(oracle, 3, 150 * kib);
      return { act: () => void oracle.allocator.allocate(3, 150 * kib) };
    },
  },
  {
    name: 'empty stacks and slabs when all is full',
    shape: small,
    prepare: (oracle) => {
      const { allocator } = oracle;
      const block = allocator.allocate(2, 64);
      for (;;) {
        const ref = allocator.allocate(3, 16 * kib);
        if (ref === 0) break;
        allocator.keep(ref);
        oracle.held.push({ ref, kind: 3, sizeBytes: 16 * kib, mark: 0, kept: true });
      }
      allocator.free(block, 2);
      return { act: () => void allocator.allocate(4, 16 * kib) };
    },
  },
  {
    name: 'drop a segment',
    shape: growing,
    prepare: (oracle) => {
      hold(oracle, 3, 150 * kib);
      const [last] = hold(oracle, 3, 150 * kib);
      oracle.free(oracle.held.indexOf(last as Held));
      return { act: () => void oracle.allocator.dropEmptySegments() };
    },
  },
  {
    name: 'count over 2^32',
    shape: small,
    prepare: (oracle) => {
      const { allocator } = oracle;
      const [block] = hold(oracle, 1, 64);
      const { ref } = block as Held;
      // One block is live, and both counters are about to wrap.
      const counters = ownerCounters(allocator.region, 0);
      counters.set([-1, 5, -2, 5]);
      return {
        touches: [ref],
        act: () => {
          allocator.free(allocator.allocate(2, 64), 2);
          allocator.free(ref, 1);
        },
      };
    },
  },
  {
    name: 'lose drafts',
    shape: small,
    prepare: (oracle) => {
      for (const sizeBytes of [64, 200, 3_000, 9_000]) {
        hold(oracle, 1, sizeBytes, 2);
        oracle.allocate(1, sizeBytes);
        oracle.allocate(4, sizeBytes);
      }
      return { act: () => void oracle.allocator.allocate(1, 64) };
    },
  },
  {
    name: 'keep and unkeep',
    shape: small,
    prepare: (oracle) => {
      const held = [64, 5_000].map((sizeBytes) => oracle.allocate(1, sizeBytes) as Held);
      const kept = [...hold(oracle, 2, 64), ...hold(oracle, 2, 5_000)];
      return {
        touches: refs([...held, ...kept]),
        act: () => {
          for (const { ref } of held) oracle.allocator.keep(ref);
          for (const { ref } of kept) oracle.allocator.unkeep(ref);
        },
      };
    },
  },
  {
    name: 'sweep',
    shape: small,
    prepare: (oracle) => {
      const gone = [
        ...hold(oracle, 0, 64, 2),
        ...hold(oracle, 2, 9_000),
        ...hold(oracle, 4, 3_000, 5),
      ];
      const found = [...hold(oracle, 0, 64, 2), ...hold(oracle, 3, 9_000)];
      const marks = oracle.allocator.newMarks();
      for (const { ref } of found) marks.add(ref);
      return { touches: refs(gone), act: () => void oracle.allocator.sweep(marks) };
    },
  },
];
