/** check finds every kind of damage. */

import { expect, test } from 'vitest';
import { type PoolAllocator } from '../../src/alloc/allocator.ts';
import { allocationsWord, ownerCounters } from '../../src/alloc/counters.ts';
import {
  binsInUseWord,
  headAbsent,
  headKept,
  headLive,
  headPartly,
  headRemote,
  nobody,
  packHead,
  packSlab,
  stateExtent,
  stateFree,
  stateRun,
  stateSlab,
  usedPagesWord,
} from '../../src/alloc/layout.ts';
import { codeOf } from '../memory/support/regions.ts';
import { setBits, stackOfSlab, subject, type Subject } from './support/subject.ts';

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
      counters[allocationsWord] = (counters[allocationsWord] as number) + 1;
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
      const { stacks } = allocator.slabs;
      const first = stacks.bottom(stackOfSlab) + 1;
      stacks.cells[first + 1] = stacks.cells[first] as number;
    },
  ],
];

test('a free into a stack that there is not is pool_corrupt, and changes nothing', () => {
  const { allocator, view, kept, header } = subject();
  allocator.unkeep(kept);
  view.headers[header] = packSlab((6 << 5) | (stackOfSlab & 31), 0);
  const cells = Int32Array.from(allocator.slabs.stacks.cells);
  expect(codeOf(() => allocator.free(kept, 6))).toBe('pool_corrupt');
  expect(allocator.slabs.stacks.cells).toEqual(cells);
  expect(allocator.isLive(kept)).toBe(true);
});

function setDepth(allocator: PoolAllocator, depth: number): void {
  allocator.slabs.stacks.setDepth(stackOfSlab, depth);
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
