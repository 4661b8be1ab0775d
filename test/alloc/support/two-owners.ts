/** Two owners of one region, what the one does, and what the other does meanwhile or afterwards. */

import { createAllocator, openAllocator } from '../../../src/alloc/allocator.ts';
import { type Held, Oracle } from './oracle.ts';
import { kib, SmallRegion } from './regions.ts';

const page = 4096;
export const victimSlot = 3;
/** Sizes of what both have in the beginning: blocks, runs that are cached, runs and extents that are not. */
const sizes = [64, 64, 700, 3 * page, 3 * page, 40 * page, 64, 64, 3 * page];

/** A run of the survivor's that no deed touches. */
const longPages = 36;

/** Two owners of one region. Of what each has, every other is kept. */
export class Scene {
  readonly #region: SmallRegion;
  readonly #victimRegion: SmallRegion;
  readonly survivor: Oracle;
  readonly victim: Oracle;

  constructor() {
    this.#region = new SmallRegion({ segmentBytes: [1152 * kib, 512 * kib] });
    this.survivor = new Oracle(createAllocator(this.#region, { lockWaitMs: 0 }));
    this.#victimRegion = this.#region.joined(victimSlot);
    this.victim = new Oracle(openAllocator(this.#victimRegion, { lockWaitMs: 0 }));
    for (const owner of [this.survivor, this.victim]) {
      for (const [i, sizeBytes] of sizes.entries()) {
        owner.allocate(1 + (i % 3), sizeBytes);
        if (i % 2 === 0) owner.keep(i);
      }
    }
    this.survivor.allocate(3, longPages * page);
  }

  /** Another owner comes, makes slabs, frees most of what is in them, and leaves. @returns what it has left, the survivor's from now on */
  third(): Held {
    const region = this.#region.joined(victimSlot + 1);
    const other = new Oracle(openAllocator(region, { lockWaitMs: 0 }));
    for (let i = 0; i < 6; i++) other.allocate(1, 1500);
    while (other.held.length > 1) other.free(0);
    other.keep(0);
    const [left] = other.held as [Held];
    this.survivor.held.push(left);
    other.allocator.leave();
    region.close();
    return left;
  }

  die(): void {
    this.#victimRegion.die();
  }
}

export interface Deed {
  readonly name: string;
  /** What has happened before. */
  readonly prepare?: (scene: Scene) => void;
  readonly act: (scene: Scene) => unknown;
  /** What it may take away, or not: of the victim or of the survivor. */
  readonly touches?: (scene: Scene) => readonly Held[];
}

function freeing(name: string, whose: 'victim' | 'survivor', index: number): Deed {
  return {
    name: `frees ${name}`,
    touches: (scene) => [scene[whose].held[index] as Held],
    act: (scene) => {
      const held = scene[whose].held[index] as Held;
      scene.victim.allocator.free(held.ref, held.kind);
      scene[whose].forget(scene[whose].held.indexOf(held));
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
  {
    name: 'frees a long run beside a free one',
    prepare: ({ victim }) => {
      for (let i = 0; i < 2; i++) victim.allocate(1, 33 * page);
      victim.free(victim.held.length - 2);
      // What was last stands in its place now: the run below it.
    },
    touches: ({ victim }) => [victim.held.at(-1) as Held],
    act: ({ victim }) => {
      const held = victim.held.at(-1) as Held;
      victim.allocator.free(held.ref, held.kind);
      victim.forget(victim.held.indexOf(held));
    },
  },
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
    name: 'collects what the other has freed',
    prepare: ({ survivor, victim }) => {
      for (const index of [2, 0]) {
        const { ref, kind } = victim.held[index] as Held;
        survivor.allocator.free(ref, kind);
        victim.forget(index);
      }
    },
    act: ({ victim }) => victim.allocator.flush(),
  },
  {
    name: 'adopts what a third has left',
    prepare: (scene) => void scene.third(),
    act: ({ victim }) => {
      victim.allocator.flush();
      for (let i = 0; i < 3; i++) victim.allocate(1, 1500);
    },
  },
  {
    // What it has not kept by then is nobody's.
    name: 'leaves',
    touches: ({ victim }) => victim.held.filter(({ kept }) => !kept),
    act: ({ victim }) => victim.allocator.leave(),
  },
];

/** What the survivor does before it recovers the dead. */
export const replies: readonly [name: string, act: (survivor: Oracle, scene: Scene) => unknown][] =
  [
    ['does nothing', () => undefined],
    [
      'allocates blocks',
      (by) => [64, 700, 1500, 3000].forEach((sizeBytes) => by.allocate(1, sizeBytes)),
    ],
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
    ['leaves', (by) => by.allocator.leave()],
    [
      'frees a long run',
      (by) => by.free(by.held.findIndex(({ sizeBytes }) => sizeBytes === longPages * page)),
    ],
    [
      'frees what the other has',
      (by, { victim }) => {
        // Of each tier one that is kept, so that it is there also when the other has died, and of which no deed is.
        for (const held of victim.held.filter(({ kept }) => kept).slice(-2)) {
          by.allocator.free(held.ref, held.kind);
          victim.forget(victim.held.indexOf(held));
        }
      },
    ],
    [
      'fills the region',
      (by) => {
        while (by.allocate(3, 20 * page) !== undefined);
      },
    ],
  ];
