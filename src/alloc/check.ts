/**
 * Verifies every invariant of one segment's page table, slab headers and bitmaps. What the books on
 * the heap must agree with is checked in check-books.ts.
 */

import { bitCount } from '../base/bits.ts';
import { ownersMaxLimit } from '../memory/layout.ts';
import { pageShift } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { classCount, type ClassTable } from './classes.ts';
import { kinds } from './kind.ts';
import {
  absenceOf,
  bitsWordShift,
  freeAt,
  headAbsent,
  headKept,
  headLengthShift,
  headLive,
  headPartly,
  headRemote,
  kindOfHead,
  kindOfStackShift,
  lengthMask,
  lengthOf,
  liveAt,
  nobody,
  packFree,
  packHead,
  packSlab,
  remoteAt,
  runPagesLimit,
  slabFreeCount,
  slabHeaderShift,
  slabNews,
  slabOwnerShift,
  stackMask,
  stateExtent,
  stateFree,
  stateInterior,
  stateOf,
  stateRun,
  stateSlab,
} from './layout.ts';
import { metadataHead } from './pages.ts';
import type { SegmentView } from './segment-view.ts';
import { keptBits, slabHeaderAt, slabWordsOf, windowOfPage } from './walk.ts';

/** Violations are reported up to this many; the rest would be consequences. */
export const faultsMax = 100;

/** Takes one violation in words. */
export type Report = (fault: string) => void;

export function checkSegment(
  view: SegmentView,
  slabShift: number,
  classes: ClassTable,
  report: Report,
): void {
  const { table, layout, segment } = view;
  const say: Report = (fault) => report(`segment ${segment.number}: ${fault}`);
  if (table.head(0) !== metadataHead(layout))
    say(`page 0 has descriptor ${table.head(0)}, not that of metadata`);
  if (table.tail(layout.dataPage - 1) !== layout.dataPage) say('metadata has no boundary tag');
  checkInterior(view, 0, layout.dataPage, say);
  let slabs = 0;
  let previous = 0;
  table.walk(
    (page, head) => {
      checkRun(view, page, head, slabShift, say);
      if (stateOf(head) === stateFree && stateOf(previous) === stateFree)
        say(`page ${page} starts a free run next to one`);
      previous = head;
      if (stateOf(head) !== stateSlab) return;
      slabs++;
      checkSlab(view, page, head, slabShift, classes, say);
    },
    (page) => say(`page ${page} has descriptor ${table.head(page)} where a run should start`),
  );
  let headers = 0;
  for (let window = 0; window < layout.windows; window++) {
    if (peek(view.headers, window << slabHeaderShift) !== 0) headers++;
  }
  if (headers !== slabs) say(`${headers} slab headers for ${slabs} slabs`);
}

function checkInterior(view: SegmentView, page: number, pages: number, say: Report): void {
  for (let inner = page + 1; inner < page + pages; inner++) {
    if (view.table.head(inner) !== stateInterior)
      say(`page ${inner} has a descriptor inside the run at ${page}`);
  }
}

function checkRun(
  view: SegmentView,
  page: number,
  head: number,
  slabShift: number,
  say: Report,
): void {
  const { table } = view;
  const state = stateOf(head);
  const pages = lengthOf(head);
  const owner = table.owner(page);
  if (table.tail(page + pages - 1) !== pages) {
    say(`run at page ${page} has length ${pages} and boundary tag ${table.tail(page + pages - 1)}`);
  }
  checkInterior(view, page, pages, say);
  if (kindOfHead(head) >= kinds.length) say(`run at page ${page} has kind ${kindOfHead(head)}`);
  const known = ((lengthMask << headLengthShift) | ((1 << headLengthShift) - 1)) >>> 0;
  if ((head & ~absenceOf(head)) >>> 0 > known || absenceOf(head) === headPartly)
    say(`run at page ${page} has unknown bits`);
  if (owner >= ownersMaxLimit && owner !== nobody) say(`run at page ${page} has owner ${owner}`);
  if (state !== stateFree && (head & headAbsent) !== 0)
    say(`run at page ${page} is in use and absent`);
  if (state === stateFree && (head !== packFree(absenceOf(head), pages) || owner !== nobody)) {
    say(`free run at page ${page} has descriptor ${head} and owner ${owner}`);
  }
  if (state === stateSlab) {
    const slabPages = 1 << (slabShift - pageShift);
    if (pages !== slabPages || page % slabPages !== 0)
      say(`slab at page ${page} has ${pages} pages`);
    if ((head & (headLive | headKept | headRemote)) !== 0)
      say(`slab at page ${page} has flags of a run`);
  }
  if (state === stateRun || state === stateExtent) {
    if ((head & headLive) === 0 && (head & headKept) !== 0)
      say(`run at page ${page} is kept and not live`);
    if ((head & headLive) !== 0 && (head & headRemote) !== 0)
      say(`run at page ${page} is live and was given back`);
    if (head === packHead(state, kindOfHead(head), 0, pages) && owner === nobody)
      say(`run at page ${page} waits for nobody`);
    if (pages <= runPagesLimit !== (state === stateRun))
      say(`run at page ${page} has ${pages} pages and state ${state}`);
  }
}

function checkSlab(
  view: SegmentView,
  page: number,
  head: number,
  slabShift: number,
  classes: ClassTable,
  say: Report,
): void {
  const header = slabHeaderAt(view, page, slabShift);
  const owner = (header >> slabOwnerShift) & 127;
  if (header !== packSlab(header & stackMask, owner))
    return say(`slab at page ${page} has header ${header}`);
  if ((header & stackMask) >> kindOfStackShift !== kindOfHead(head)) {
    say(
      `slab at page ${page} has kind ${(header & stackMask) >> kindOfStackShift}, its pages ${kindOfHead(head)}`,
    );
  }
  if (owner >= ownersMaxLimit && owner !== nobody) say(`slab at page ${page} has owner ${owner}`);
  if (owner !== nobody && owner !== view.table.owner(page))
    say(`slab at page ${page} has owner ${owner}, its pages ${view.table.owner(page)}`);
  const window = windowOfPage(page, slabShift);
  const slabWords = slabWordsOf(slabShift);
  const starts = classes.starts.subarray((header % classCount) * slabWords);
  const where = `slab at page ${page}`;
  const news = peek(view.headers, (window << slabHeaderShift) + slabNews);
  let counted = 0;
  for (let word = 0; word < slabWords; word++) {
    const at = (window * slabWords + word) << bitsWordShift;
    const live = peek(view.bits, at + liveAt);
    const kept = keptBits(view, at >> bitsWordShift);
    const free = peek(view.bits, at + freeAt);
    const remote = peek(view.bits, at + remoteAt);
    const start = starts[word] as number;
    counted += bitCount(free);
    const tell = (fault: string): void => say(`${where}, word ${word}: ${fault}`);
    if ((live & free) !== 0) tell(`blocks both live and free (${live & free})`);
    if (((live | free) & ~start) !== 0) tell('bits that start no block');
    if ((kept & ~live) !== 0) tell(`kept blocks that are not live (${kept & ~live})`);
    if ((remote & ~live) !== 0) tell(`remotely freed blocks that are not live (${remote & ~live})`);
    if (remote !== 0 && ((news >>> (word & 31)) & 1) === 0)
      tell('remotely freed blocks that nobody tells of');
    if (owner === nobody && (live | free) !== start) tell('blocks that wait for nobody');
  }
  const count = peek(view.headers, (window << slabHeaderShift) + slabFreeCount);
  if (count !== counted) say(`${where} counts ${count} free blocks and has ${counted}`);
}
