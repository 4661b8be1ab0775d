/**
 * Clearing a window: when single evictions free memory but never enough in one place, all parts of the coldest stretch go.
 *
 * The pool is seen as units of one slab each. A unit may be cleared when every live block in it belongs to a part that may go and whose memory comes back to this owner (its bytes,
 * its long key, its tags); its heat is the age of the most recently used of them. Of all stretches that are long enough the one with the coldest hottest unit is
 * taken (sliding minimum over a monotone queue): O(blocks + parts + units).
 */

import { usableBytes } from '../alloc/classes.ts';
import { segmentLayout } from '../alloc/layout.ts';
import { granuleShift, pageShift, type Ref, type Segment } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { commitSlot, committed, field, segmentOf, wordOf } from './entry.ts';
import { retire } from './remove.ts';
import type { Store } from './store.ts';
import { tagNodes } from './tags.ts';

/** Heat of a unit that may not be cleared. */
const blocked = Infinity;
/** Heat of an empty unit. */
const empty = -Infinity;

interface Window {
  readonly segment: number;
  readonly fromUnit: number;
  readonly toUnit: number;
}

/** Evicts every part of the coldest window that holds `sizeBytes`. @returns false when there is none */
export function evictWindow(store: Store, sizeBytes: number): boolean {
  const { slabShift } = store.region;
  const units = Math.max(1, Math.ceil(usableBytes(sizeBytes) / 2 ** slabShift));
  const window = coldestWindow(heatMap(store), units);
  if (window === undefined) return false;
  const inside = new Set<Ref>();
  eachEvictable(store, (entry, block, blockBytes) => {
    const { segment, first, last } = unitsOf(store, block, blockBytes);
    if (segment !== window.segment || last < window.fromUnit || first >= window.toUnit) return;
    inside.add(entry);
  });
  // None, perhaps: readers may have leased what was there since the map was drawn. The next one shows it.
  for (const entry of inside) retire(store, entry, 'evicted');
  return true;
}

/**
 * Heat per segment and unit. Other owners need no pen to take memory and to give it back: page tables move while they are walked, and a segment may
 * come meanwhile; the map is then less good, and nothing worse.
 */
function heatMap(store: Store): Float64Array[] {
  const { region, allocator } = store;
  const segments = [...region.segments];
  const live = segments.map((segment) => new Int32Array(unitCount(store, segment)));
  const movable = live.map((counts) => new Int32Array(counts.length));
  const heat = live.map((counts) => new Float64Array(counts.length).fill(empty));
  allocator.walk(
    (block) => {
      if (block.live) countUnits(store, live, block.ref, block.sizeBytes);
    },
    () => undefined,
  );
  eachEvictable(store, (entry, block, blockBytes) => {
    countUnits(store, movable, block, blockBytes);
    const { words } = segmentOf(region, entry);
    const recency = -store.evictor.age(words, wordOf(region, entry));
    const { segment, first, last } = unitsOf(store, block, blockBytes);
    const map = heat[segment];
    if (map === undefined) return;
    for (let unit = first; unit <= last; unit++) map[unit] = Math.max(map[unit] as number, recency);
  });
  heat.forEach((map, segment) => {
    const { sizeBytes } = segments[segment] as Segment;
    const firstData =
      segmentLayout(sizeBytes, region.slabShift).dataPage >> (region.slabShift - pageShift);
    for (let unit = 0; unit < map.length; unit++) {
      const held = live[segment]?.[unit] !== movable[segment]?.[unit];
      if (held || unit < firstData) map[unit] = blocked;
    }
  });
  return heat;
}

/** The stretch of `units` with the coldest hottest unit. */
function coldestWindow(heat: readonly Float64Array[], units: number): Window | undefined {
  let best: Window | undefined;
  let bestHeat = blocked;
  for (const [segment, map] of heat.entries()) {
    const queue = new Int32Array(map.length);
    let head = 0;
    let tail = 0;
    for (let unit = 0; unit < map.length; unit++) {
      while (tail > head && (map[queue[tail - 1] as number] as number) <= (map[unit] as number))
        tail--;
      queue[tail++] = unit;
      if ((queue[head] as number) <= unit - units) head++;
      const hottest = map[queue[head] as number] as number;
      if (unit + 1 < units || hottest >= bestHeat || hottest === empty) continue;
      bestHeat = hottest;
      best = { segment, fromUnit: unit + 1 - units, toUnit: unit + 1 };
    }
  }
  return best;
}

/** Visits every block of every part that may go. */
function eachEvictable(
  store: Store,
  visit: (entry: Ref, block: Ref, blockBytes: number) => void,
): void {
  const { allocator, entries, evictor, region } = store;
  for (let ordinal = 0; ordinal < entries.count; ordinal++) {
    const entry = entries.at(ordinal);
    const { words } = segmentOf(region, entry);
    const at = wordOf(region, entry);
    if (!evictor.mayGo(entry, words, at) || !evictor.comesBack(entry)) continue;
    const payload = peek(words, committed(words, at) + commitSlot.ref);
    if (payload !== 0) visit(entry, payload, allocator.sizeOf(payload)); // a run may be longer than its part has room
    const keyRef = peek(words, at + field.keyRef);
    if (keyRef !== 0) visit(entry, keyRef, allocator.sizeOf(keyRef));
    const firstTag = peek(words, at + field.tagRef);
    if (firstTag === 0) continue;
    for (const tag of tagNodes(store, firstTag)) visit(entry, tag, allocator.sizeOf(tag));
  }
}

function countUnits(store: Store, counts: Int32Array[], ref: Ref, sizeBytes: number): void {
  const { segment, first, last } = unitsOf(store, ref, sizeBytes);
  const map = counts[segment];
  if (map === undefined) return;
  for (let unit = first; unit <= last; unit++) map[unit] = (map[unit] as number) + 1;
}

function unitsOf(
  store: Store,
  ref: Ref,
  sizeBytes: number,
): { readonly segment: number; readonly first: number; readonly last: number } {
  const { segmentShift, slabShift } = store.region;
  const segment = ref >>> (segmentShift - granuleShift);
  const fromGranule = ref & ((1 << (segmentShift - granuleShift)) - 1);
  const unitShift = slabShift - granuleShift;
  const lastGranule = fromGranule + Math.ceil(sizeBytes / 2 ** granuleShift) - 1;
  return { segment, first: fromGranule >>> unitShift, last: lastGranule >>> unitShift };
}

function unitCount(store: Store, segment: Segment): number {
  return Math.ceil(segment.sizeBytes / 2 ** store.region.slabShift);
}
