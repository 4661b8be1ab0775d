/** Two owners of one region, what the one does, and what the other does meanwhile or afterwards. */

import { createAllocator, openAllocator } from '../../../src/alloc/allocator.ts';
import { type Held, Oracle } from './oracle.ts';
import { kib, SmallRegion } from './regions.ts';

const page = 4096;
export const victimSlot = 3;
/** Sizes of what both have in the beginning: blocks, runs that are cached, runs and extents that are not. */
const sizes = [64, 64, 700, 3 * page, 3 * page, 40 * page];

/** Two owners of one region. Of what each has, every other is kept. */
export class Scene {
  readonly #victimRegion: SmallRegion;
  readonly survivor: Oracle;
  readonly victim: Oracle;

  constructor() {
    const region = new SmallRegion({ segmentBytes: [896 * kib, 512 * kib] });
    this.survivor = new Oracle(createAllocator(region, { lockWaitMs: 0 }));
    this.#victimRegion = region.joined(victimSlot);
    this.victim = new Oracle(openAllocator(this.#victimRegion, { lockWaitMs: 0 }));
    for (const owner of [this.survivor, this.victim]) {
      for (const [i, sizeBytes] of sizes.entries()) {
        owner.allocate(1 + (i % 3), sizeBytes);
        if (i % 2 === 0) owner.keep(i);
      }
    }
  }

  die(): void {
    this.#victimRegion.die();
  }
}

export interface Deed {
  readonly name: string;
  readonly act: (scene: Scene) => unknown;
  /** What it may take away, or not: of the victim or of the survivor. */
  readonly touches?: (scene: Scene) => readonly Held[];
}

function freeing(name: string, whose: 'victim' | 'survivor', index: number): Deed {
  return {
    name: `frees ${name}`,
    touches: (scene) => [scene[whose].held[index] as Held],
    act: (scene) => {
      const { ref, kind } = scene[whose].held[index] as Held;
      scene.victim.allocator.free(ref, kind);
      scene[whose].forget(index);
    },
  };
}

function allocating(name: string, kind: number, sizeBytes: number): Deed {
  return {
    name: `allocates ${name}`,
    act: ({ victim }) => victim.allocate(kind, sizeBytes),
  };
}

export const deeds: readonly Deed[] = [
  allocating('a block from its stack', 1, 64),
  allocating('a block, and makes a slab', 2, 3000),
  allocating('a run', 2, 3 * page),
  allocating('a long run', 3, 30 * page),
  allocating('metadata', 0, 2 * page),
  allocating('more than is there', 3, 90 * page),
  freeing('a block', 'victim', 1),
  freeing('a kept block', 'victim', 2),
  freeing('a run', 'victim', 3),
  freeing('a kept run', 'victim', 4),
  freeing('a long run', 'victim', 5),
  freeing('a block of another', 'survivor', 1),
  freeing('a kept block of another', 'survivor', 2),
  freeing('a run of another', 'survivor', 3),
  freeing('a kept run of another', 'survivor', 4),
  freeing('a long run of another', 'survivor', 5),
  {
    name: 'keeps a block and a run',
    touches: ({ victim }) => [victim.held[1] as Held, victim.held[3] as Held],
    act: ({ victim }) => {
      for (const index of [1, 3]) victim.keep(index);
    },
  },
  { name: 'flushes', act: ({ victim }) => victim.allocator.flush() },
  {
    // What it has not kept by then is nobody's.
    name: 'leaves',
    touches: ({ victim }) => victim.held.filter(({ kept }) => !kept),
    act: ({ victim }) => victim.allocator.leave(),
  },
];

/** What the survivor does before it recovers the dead. */
export const replies: readonly [name: string, act: (survivor: Oracle) => unknown][] = [
  ['does nothing', () => undefined],
  ['allocates blocks', (by) => [64, 700, 3000].forEach((sizeBytes) => by.allocate(1, sizeBytes))],
  ['allocates runs', (by) => [2, 3, 30].forEach((pages) => by.allocate(2, pages * page))],
  ['allocates metadata', (by) => by.allocate(0, 2 * page)],
  [
    'frees and allocates the same',
    (by) => {
      for (const sizeBytes of [64, 3 * page, 40 * page]) {
        by.allocate(1, sizeBytes);
        by.free(by.held.length - 1);
        by.allocate(1, sizeBytes);
      }
    },
  ],
  ['flushes', (by) => by.allocator.flush()],
  [
    'fills the region',
    (by) => {
      while (by.allocate(3, 20 * page) !== undefined);
    },
  ],
];
