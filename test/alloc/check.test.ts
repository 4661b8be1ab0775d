/** check finds every kind of damage, and walk and recover refuse what cannot be followed. */

import { describe, expect, test } from 'vitest';
import { createAllocator, type PoolAllocator } from '../../src/alloc/allocator.ts';
import { counterWords, ownerCounters } from '../../src/alloc/counters.ts';
import {
  binCount,
  binsInUseWord,
  binsWord,
  headAbsent,
  headKept,
  headLive,
  headPartly,
  headRemote,
  lengthOf,
  nobody,
  packHead,
  packSlab,
  stateExtent,
  stateFree,
  stateRun,
  stateSlab,
  usedPagesWord,
} from '../../src/alloc/layout.ts';
import { hasCode } from '../../src/errors.ts';
import type { SegmentView } from '../../src/alloc/segment-view.ts';
import { viewSegment } from '../../src/alloc/segment-view.ts';
import type { Segment } from '../../src/memory/region.ts';
import { kib, SmallRegion } from './support/regions.ts';

interface Subject {
  readonly allocator: PoolAllocator;
  readonly view: SegmentView;
  /**
   * First pages of: a slab of class 1 (128 B) and kind 1, runs of 3 pages of kind 2, an extent, the
   * free rest.
   */
  readonly slab: number;
  readonly run: number;
  readonly extent: number;
  readonly rest: number;
  /** A kept block of the slab, and one that waits in a stack. */
  readonly kept: number;
  readonly claimed: number;
  /** Word of the slab's header, and its first word of free bits, where all blocks are free. */
  readonly header: number;
  readonly free: number;
}

const stackOfSlab = 33;

function setBits(words: Int32Array, word: number, bits: number): void {
  words[word] = (words[word] as number) | bits;
}

function subject(): Subject {
  const region = new SmallRegion({ segmentBytes: [2048 * kib] });
  const allocator = createAllocator(region);
  const kept = allocator.allocate(1, 100);
  allocator.allocate(1, 100);
  allocator.keep(kept);
  const run = allocator.allocate(2, 3 * 4096) >> 6;
  allocator.keep(allocator.allocate(2, 3 * 4096));
  const extent = allocator.allocate(3, 260 * 4096) >> 6;
  const view = viewSegment(region.segments[0] as Segment, region.slabShift);
  let rest = 0;
  view.table.walk((page, head) => {
    if ((head & 7) === stateFree && page > rest) rest = page;
  });
  const { stacks, stackShift } = allocator.slabs;
  const claimed = stacks[(stackOfSlab << stackShift) + 2] as number;
  const window = kept >> 8;
  const made = { allocator, view, run, extent, rest, kept, claimed };
  // Slabs of 16 KiB: 8 words of each bitmap, four bitmaps side by side.
  return { ...made, slab: window * 4, header: window * 16, free: window * 32 + 2 };
}

type Damage = [what: string, fault: RegExp, damage: (subject: Subject) => void];

const damages: Damage[] = [
  ['metadata freed', /page 0 has descriptor/, ({ view }) => view.table.setHead(0, 0)],
  [
    'a head inside metadata',
    /page 2 has a descriptor inside the run at 0/,
    ({ view }) => view.table.setHead(2, packHead(stateFree, 0, 0, 1)),
  ],
  [
    'metadata without a tag',
    /metadata has no boundary tag/,
    ({ view }) => view.table.setEnds(view.layout.dataPage - 1, 1, 0),
  ],
  ['no head', /where a run should start/, ({ view, run }) => view.table.setHead(run, 0)],
  [
    'a run beyond the end',
    /where a run should start/,
    ({ view, rest }) => view.table.setHead(rest, packHead(stateFree, 0, 0, 60_000)),
  ],
  [
    'a run of no pages',
    /where a run should start/,
    ({ view, run }) => view.table.setHead(run, packHead(stateRun, 2, headLive, 0)),
  ],
  [
    'an unknown state',
    /where a run should start/,
    ({ view, run }) => view.table.setHead(run, packHead(7, 2, headLive, 3)),
  ],
  [
    'a boundary tag',
    /has length 3 and boundary tag 2/,
    ({ view, run }) => view.table.setEnds(run + 1, 2, 0),
  ],
  [
    'a head inside a run',
    /has a descriptor inside the run/,
    ({ view, run }) => view.table.setHead(run + 1, packHead(stateFree, 0, 0, 1)),
  ],
  [
    'an unknown kind',
    /has kind 6/,
    ({ view, run }) => view.table.setHead(run, packHead(stateRun, 6, headLive, 3)),
  ],
  [
    'unknown bits',
    /has unknown bits/,
    ({ view, run }) => view.table.setHead(run, view.table.head(run) | (1 << 30)),
  ],
  [
    'a run in use whose memory is given back',
    /run at page \d+ is in use and absent/,
    ({ view, run }) => view.table.setHead(run, view.table.head(run) | headAbsent),
  ],
  [
    'a free run that is partly nothing',
    /has unknown bits/,
    ({ view, rest }) => view.table.setHead(rest, view.table.head(rest) | headPartly),
  ],
  ['an owner too many', /has owner 64/, ({ view, run }) => view.table.setEnds(run, 3, 64)],
  [
    'an owned free run',
    /free run at page \d+ has descriptor \d+ and owner 1/,
    ({ view, rest }) => view.table.setEnds(rest, view.layout.pages - rest, 1),
  ],
  [
    'a free run with flags',
    /free run at page \d+ has descriptor/,
    ({ view, rest }) => view.table.setHead(rest, view.table.head(rest) | headKept),
  ],
  [
    'two free runs side by side',
    /starts a free run next to one/,
    ({ view, rest }) => {
      const pages = view.layout.pages - rest;
      view.table.split(
        rest,
        pages,
        rest + 2,
        pages - 2,
        packHead(stateFree, 0, 0, pages - 2),
        nobody,
      );
    },
  ],
  [
    'a run that is not live',
    /waits for this owner, who does not have it/,
    ({ view, run }) => view.table.setHead(run, packHead(stateRun, 2, 0, 3)),
  ],
  [
    'a kept run that is not live',
    /is kept and not live/,
    ({ view, run }) => view.table.setHead(run, packHead(stateRun, 2, headKept, 3)),
  ],
  [
    'a live run that was given back',
    /is live and was given back/,
    ({ view, run }) => view.table.setHead(run, packHead(stateRun, 2, headLive | headRemote, 3)),
  ],
  [
    'a run that was given back in silence',
    /given back and nobody tells of it/,
    ({ view, run }) => view.table.setHead(run, packHead(stateRun, 2, headRemote, 3)),
  ],
  [
    'a claimed run of nobody',
    /waits for nobody/,
    ({ view, run }) => {
      view.table.setHead(run, packHead(stateRun, 2, 0, 3));
      view.table.setOwner(run, nobody);
    },
  ],
  [
    'a slab of nobody with claimed blocks',
    /blocks that wait for nobody/,
    ({ view, header }) => void (view.headers[header] = packSlab(33, nobody)),
  ],
  [
    'remote bits in silence',
    /remotely freed blocks that nobody tells of/,
    ({ view, kept }) => setBits(view.bits, (kept >> 5) * 4 + 3, 1 << (kept & 31)),
  ],
  [
    'a slab of an owner too many',
    /slab at page \d+ has owner 99/,
    ({ view, header }) => void (view.headers[header] = packSlab(33, 99)),
  ],
  [
    'a count of used pages',
    /index has 1 used pages, table \d+/,
    ({ view }) => void (view.words[usedPagesWord] = 1),
  ],
  [
    'a bin that is not marked',
    /index has bin \d+ marked false/,
    ({ view }) => void view.words.fill(0, binsInUseWord, binsInUseWord + 12),
  ],
  [
    'a run of the cache that is live',
    /is cached and not claimed/,
    ({ allocator, run }) => allocator.cache.push(run << 6, 3),
  ],
  [
    'a short extent',
    /has 3 pages and state 4/,
    ({ view, run }) => view.table.setHead(run, packHead(stateExtent, 2, headLive, 3)),
  ],
  [
    'a long run',
    /has 260 pages and state 3/,
    ({ view, extent }) => view.table.setHead(extent, packHead(stateRun, 3, headLive, 260)),
  ],
  [
    'a slab of another length',
    /slab at page \d+ has 3 pages/,
    ({ view, run }) => view.table.setHead(run, packHead(stateSlab, 2, 0, 3)),
  ],
  [
    'a slab with flags',
    /has flags of a run/,
    ({ view, slab }) => view.table.setHead(slab, view.table.head(slab) | headRemote),
  ],
  [
    'no slab header',
    /slab at page \d+ has header 0/,
    ({ view, header }) => void (view.headers[header] = 0),
  ],
  [
    'a slab header with unknown bits',
    /slab at page \d+ has header/,
    ({ view, header }) => void (view.headers[header] = packSlab(33, 0) | (1 << 20)),
  ],
  [
    'a header of another kind',
    /has kind 2, its pages 1/,
    ({ view, header }) => void (view.headers[header] = packSlab(65, 0)),
  ],
  [
    'a header of another owner',
    /has owner 3, its pages 0/,
    ({ view, header }) => void (view.headers[header] = packSlab(33, 3)),
  ],
  [
    'a header where there is no slab',
    /2 slab headers for 1 slabs/,
    ({ view, rest }) => void (view.headers[((rest >> 2) + 2) * 16] = packSlab(0, 0)),
  ],
  [
    'blocks live and free',
    /blocks both live and free/,
    ({ view, free }) => setBits(view.bits, free - 2, 1),
  ],
  [
    'a live bit in the middle of a block',
    /bits that start no block/,
    ({ view, kept }) => setBits(view.bits, (kept >> 5) * 4, 2 << (kept & 31)),
  ],
  [
    'a free bit in the middle of a block',
    /bits that start no block/,
    ({ view, free }) => void (view.bits[free + 8] = 3),
  ],
  [
    'a kept block that is not live',
    /kept blocks that are not live/,
    ({ view, free }) => setBits(view.bits, free + 4 - 1, 1),
  ],
  [
    'a remotely freed block that is not live',
    /remotely freed blocks that are not live/,
    ({ view, free }) => void (view.bits[free + 12 + 1] = 1),
  ],
  [
    'a free count',
    /counts 5 free blocks/,
    ({ view, header }) => void (view.headers[header + 1] = 5),
  ],
  [
    'a lost live block',
    /counters say 5 live blocks, memory 4/,
    ({ view, kept }) => void (view.bits[(kept >> 5) * 4] = 1 << (kept & 31)),
  ],
  [
    'a live block that is claimed',
    /which is not a claimed block of it/,
    ({ view, claimed }) => setBits(view.bits, (claimed >> 5) * 4, 1 << (claimed & 31)),
  ],
  [
    'a free block that is claimed',
    /which is not a claimed block of it/,
    ({ view, claimed }) => setBits(view.bits, (claimed >> 5) * 4 + 2, 1 << (claimed & 31)),
  ],
  [
    'a counter',
    /counters say 6 live blocks, memory 5/,
    ({ allocator }) => {
      const counters = ownerCounters(allocator.region, 0);
      counters[counterWords.allocations] = (counters[counterWords.allocations] as number) + 1;
    },
  ],
  [
    'a free run that the index does not know',
    /index has \d+ free runs, table \d+/,
    ({ view, run }) => view.table.setHead(run, packHead(stateFree, 0, 0, 3)),
  ],
  [
    'a free run of another length in the index',
    /index has page \d+ in bin \d+ with length 9/,
    ({ view, rest }) => {
      const pages = view.layout.pages - rest;
      view.table.split(
        rest,
        pages,
        rest + 9,
        pages - 9,
        packHead(stateRun, 0, headLive, pages - 9),
        0,
      );
    },
  ],
  [
    'books that differ',
    /books of stack 33 say 1,2,\d+,\d+, memory 1,1,/,
    ({ allocator }) => void (allocator.slabs.slabCounts[stackOfSlab] = 2),
  ],
  [
    'a stack that overflows',
    /stack 33 holds 99 blocks/,
    ({ allocator }) => setDepth(allocator, 99),
  ],
  [
    'a block claimed twice',
    /reference \d+ is claimed twice/,
    ({ allocator }) => {
      const { stacks, stackShift } = allocator.slabs;
      const first = (stackOfSlab << stackShift) + 2;
      stacks[first + 1] = stacks[first] as number;
    },
  ],
];

function setDepth(allocator: PoolAllocator, depth: number): void {
  allocator.slabs.stacks[stackOfSlab << allocator.slabs.stackShift] = depth;
}

test('the subject is sound, and as the damages want it', () => {
  const { allocator, view, slab, free, kept, claimed } = subject();
  expect(allocator.check()).toEqual([]);
  expect(view.bits[free]).toBe(0x55555555);
  expect([kept >> 8, claimed >> 8]).toEqual([slab / 4, slab / 4]);
  expect(view.bits[(kept >> 5) * 4 + 1]).toBe(1 << (kept & 31));
});

test.each(damages)('%s is found', (_what, fault, damage) => {
  const made = subject();
  damage(made);
  expect(made.allocator.check().join('\n')).toMatch(fault);
});

test('no more faults are listed than anyone reads', () => {
  const made = subject();
  made.view.headers.fill(-1);
  made.view.bits.fill(-1);
  expect(made.allocator.check().length).toBeLessThanOrEqual(100);
});

describe('a page table that cannot be followed', () => {
  const broken = (): PoolAllocator => {
    const made = subject();
    made.view.table.setHead(made.run, 0);
    return made.allocator;
  };

  const refuses = (operation: (allocator: PoolAllocator) => unknown): void => {
    let thrown: unknown;
    try {
      operation(broken());
    } catch (error) {
      thrown = error;
    }
    expect(hasCode(thrown, 'pool_corrupt'), String(thrown)).toBe(true);
  };

  test('is refused by recovery', () => refuses((allocator) => allocator.recover()));
  test('is refused by walk', () => refuses((allocator) => allocator.walk(() => undefined)));
  test('still has a memory map', () => {
    expect(broken().memoryMap(10).length).toBe(10);
  });
});

describe('recovery repairs what a crash cannot leave but memory may', () => {
  test('a header over no slab', () => {
    const { allocator, view, rest } = subject();
    view.headers[((rest >> 2) + 2) * 16] = packSlab(0, 0);
    allocator.recover();
    expect(allocator.check()).toEqual([]);
  });

  test('bits left over in a window that becomes a slab', () => {
    const { allocator, view, rest } = subject();
    const first = ((rest + 3) >> 2) * 32;
    const end = ((rest + lengthOf(view.table.head(rest))) >> 2) * 32;
    view.bits.fill(-1, first, end);
    for (let count = 0; count < 200; count++) allocator.allocate(4, 3_000);
    expect(allocator.check()).toEqual([]);
  });

  test('what was freed remotely or given back', () => {
    const { allocator, view, run, kept } = subject();
    const second = run - 3; // data is placed from the high end down
    const word = (kept >> 5) * 4 + 3;
    setBits(view.bits, word, 1 << (kept & 31));
    view.table.setHead(second, packHead(stateRun, 2, headRemote, 3));
    allocator.recover();
    expect(view.bits[word]).toBe(0);
    expect([allocator.isLive(kept), allocator.isLive(second << 6)]).toEqual([false, false]);
    expect(allocator.check()).toEqual([]);
  });

  test('a run that is not live', () => {
    const { allocator, view, run } = subject();
    view.table.setHead(run, packHead(stateRun, 2, 0, 3));
    expect(allocator.isLive(run << 6)).toBe(false);
    allocator.recover();
    expect(allocator.check()).toEqual([]);
    expect(allocator.isLive(run << 6)).toBe(false);
  });
});

describe('an index that leads out of its segment', () => {
  test.each([100, 5_000, 70_000])('is not followed for %d bytes', (sizeBytes) => {
    const { allocator, view } = subject();
    const page = view.layout.pages + 512;
    view.words[view.layout.pageTableWord + 2 * page] = packHead(stateFree, 0, 0, 4096);
    view.words.fill(-1, binsInUseWord, binsWord);
    view.words.fill(page, binsWord, binsWord + binCount);
    const work = (): unknown => allocator.allocate(3, sizeBytes);
    expect(work).toThrow(expect.objectContaining({ code: 'pool_corrupt' }));
  });
});
