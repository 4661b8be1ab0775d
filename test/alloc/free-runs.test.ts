/** The index of free runs against a sorted list. */

import { expect, test } from 'vitest';
import { FreeRuns } from '../../src/alloc/free-runs.ts';
import { packHead, segmentLayout, stateFree, stateInterior } from '../../src/alloc/layout.ts';
import { PageTable } from '../../src/alloc/pages.ts';
import { segmentOver } from '../../src/memory/region.ts';
import type { SegmentView } from '../../src/alloc/segment-view.ts';
import { rounds, seed } from '../support/seed.ts';
import { Random } from './support/random.ts';

interface Run {
  page: number;
  pages: number;
}

const slabPages = 16;
const indexPages = 1 << 18;

/** The metadata of a segment of 1 GiB: the data is never touched. */
const layout = segmentLayout(2 ** 30, 16);
const words = new Int32Array(layout.dataPage * 1024);
const view: SegmentView = {
  ...({} as SegmentView),
  segment: { ...segmentOver(words.buffer, 0, words.byteLength), sizeBytes: 2 ** 30 },
  layout,
  table: new PageTable(words, layout),
  words,
};

/** The index, with the page table it gets lengths from. */
class Index extends FreeRuns {
  constructor() {
    super(view, slabPages);
    words.fill(0, 0, layout.slabHeadersWord);
  }

  override insert(page: number, pages: number): void {
    view.table.setHead(page, packHead(stateFree, 0, 0, pages));
    super.insert(page, pages);
  }

  override remove(page: number): void {
    super.remove(page);
    view.table.setHead(page, stateInterior);
  }
}

function hasWindow({ page, pages }: Run): boolean {
  return Math.ceil(page / slabPages) * slabPages + slabPages <= page + pages;
}

function sound(index: FreeRuns, runs: readonly Run[]): void {
  const faults: string[] = [];
  expect(index.check((fault) => faults.push(fault))).toBe(runs.length);
  expect(faults).toEqual([]);
}

/** Disjoint runs at random, most of them short. */
function someRuns(random: Random, count: number): Run[] {
  const runs: Run[] = [];
  let page = 16;
  while (runs.length < count && page < indexPages - 6000) {
    const most = random.pick([4, 40, 40, 400, 5000]);
    const run = { page: page + 1 + random.below(20), pages: 1 + random.below(most) };
    runs.push(run);
    page = run.page + run.pages;
  }
  return runs;
}

test('finds a run whenever there is one, and the shortest length of short ones', () => {
  const random = new Random(seed());
  for (let round = 0; round < rounds(200, 2_000); round++) {
    const index = new Index();
    const runs = someRuns(random, 1 + random.below(200));
    for (const { page, pages } of runs) index.insert(page, pages);
    for (let operation = 0; operation < 100 && runs.length > 0; operation++) {
      const pages = 1 + random.below(random.pick([30, 300, 6_000]));
      const low = random.below(2) === 0;
      const found = index.find(pages, low);
      const fitting = runs.filter((run) => run.pages >= pages);
      expect(found !== 0).toBe(fitting.length > 0);
      if (found === 0) continue;
      const at = runs.findIndex(({ page }) => page === found);
      const length = (runs[at] as Run).pages;
      expect(index.lengthAt(found)).toBe(length);
      expect(length).toBeGreaterThanOrEqual(pages);
      const shortest = Math.min(...fitting.map((run) => run.pages));
      if (pages < 64) expect(length < 64 ? length : shortest).toBe(shortest);
      // With no more runs than a scan looks at, the best fit is exact.
      if (runs.length <= 16 && !low) expect(length).toBe(shortest);
      index.remove(found);
      runs.splice(at, 1);
      expect(index.lengthAt(found)).toBe(0);
    }
    sound(index, runs);
  }
});

test('finds a slab window whenever a run has one', () => {
  const random = new Random(seed() + 1);
  for (let round = 0; round < rounds(200, 2_000); round++) {
    const index = new Index();
    let runs = someRuns(random, 1 + random.below(60)).filter(({ pages }) => pages < 300);
    for (const { page, pages } of runs) index.insert(page, pages);
    for (;;) {
      const found = index.findWindow(random.below(2) === 0);
      expect(found !== 0).toBe(runs.some(hasWindow));
      if (found === 0) break;
      expect(hasWindow(runs.find(({ page }) => page === found) as Run)).toBe(true);
      index.remove(found);
      runs = runs.filter(({ page }) => page !== found);
    }
    sound(index, runs);
  }
});

test('the last of many runs that are too short is found', () => {
  const index = new Index();
  index.insert(100, 71); // one bin holds 64…71 pages; this one goes to the end of its list
  for (let number = 0; number < 50; number++) index.insert(1_000 + 100 * number, 65);
  expect(index.find(70, false)).toBe(100);
  expect(index.find(72, false)).toBe(0);
});

test('metadata takes the lowest of equal runs', () => {
  const index = new Index();
  for (const page of [500, 200, 900]) index.insert(page, 70);
  index.insert(700, 68);
  expect(index.find(65, true)).toBe(200);
  expect(index.find(65, false)).toBe(700);
});

test('a run of a whole segment of 1 GiB has a bin', () => {
  const index = new Index();
  index.insert(1, indexPages - 1);
  expect(index.find(indexPages - 1, false)).toBe(1);
  sound(index, [{ page: 1, pages: indexPages - 1 }]);
});
