/**
 * Clearing a window: when single evictions free memory but never enough in one place, all parts of the coldest stretch go.
 *
 * The pool is seen as units of one slab each. A unit may be cleared when every live block in it belongs to a part that may go and whose memory comes back to this owner (its bytes,
 * its long key, its tags); its heat is the age of the most recently used of them. Of all stretches that are long enough the one with the coldest hottest unit is
 * taken (sliding minimum over a monotone queue): O(blocks + parts + units · windows).
 */

import { classBytesMax, usableBytes } from '../alloc/classes.ts';
import { segmentLayout } from '../alloc/layout.ts';
import { granuleShift, pageShift, type Ref, type Segment } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { grown } from '../base/grown.ts';
import { commitSlot, committed, field, segmentOf, wordOf } from './entry.ts';
import { retire } from './remove.ts';
import type { Store } from './store.ts';
import { tagNodes } from './tags.ts';

/** Heat of a unit that may not be cleared. */
const blocked = Infinity;
/** Heat of an empty unit. */
const empty = -Infinity;

/** One part in so many of a pool is cleared at once, or a single window. */
const shareAtOnce = 256;
/** Each of them is looked for in all units, while others wait. */
const windowsMax = 16;

interface Window {
  readonly segment: number;
  readonly fromUnit: number;
  readonly toUnit: number;
}

/**
 * Evicts every part of the coldest windows that hold `sizeBytes` each: of so many as are a small share of the pool, since it is a look at all parts that costs.
 * @returns false when there is none
 */
export function evictWindows(store: Store, sizeBytes: number): boolean {
  const { slabShift } = store.region;
  const units = Math.max(1, Math.ceil(usableBytes(sizeBytes) / 2 ** slabShift));
  const places = new Places();
  const heat = heatMap(store, places);
  const chosen = heat.map((map) => new Uint8Array(map.length));
  const unitsInAll = heat.reduce((sum, map) => sum + map.length, 0);
  const share = Math.floor(unitsInAll / (shareAtOnce * units));
  const most = Math.min(Math.max(1, share), windowsMax);
  let count = 0;
  for (; count < most; count++) {
    const window = coldestWindow(heat, units);
    if (window === undefined) break;
    const { segment, fromUnit, toUnit } = window;
    chosen[segment]?.fill(1, fromUnit, toUnit);
    heat[segment]?.fill(blocked, fromUnit, toUnit);
  }
  if (count === 0) return false;
  for (const entry of places.partsIn(chosen)) {
    // Readers may have leased what was there since the map was drawn. The next one shows it.
    const { words } = segmentOf(store.region, entry);
    const mayGo = store.evictor.mayGo(entry, words, wordOf(store.region, entry));
    if (mayGo) retire(store, entry, 'evicted');
  }
  return true;
}

/** Which part has a block where: its entry, the segment, the first and the last unit; one after the other. */
class Places {
  #words = new Int32Array(4 * 1024);
  #end = 0;

  add(entry: Ref, segment: number, first: number, last: number): void {
    if (this.#end === this.#words.length) this.#words = grown(this.#words, 2 * this.#end);
    const words = this.#words;
    words[this.#end++] = entry;
    words[this.#end++] = segment;
    words[this.#end++] = first;
    words[this.#end++] = last;
  }

  /** The parts that have a block in a unit that is set. */
  partsIn(chosen: readonly Uint8Array[]): Set<Ref> {
    const words = this.#words;
    const parts = new Set<Ref>();
    for (let at = 0; at < this.#end; at += 4) {
      const map = chosen[words[at + 1] as number];
      const last = words[at + 3] as number;
      for (let unit = words[at + 2] as number; unit <= last; unit++)
        if (map?.[unit] === 1) parts.add(words[at] as Ref);
    }
    return parts;
  }
}

/**
 * Heat per segment and unit, and which parts are where. Other owners need no pen to take memory and to give it back: page tables move while they are walked, and a segment may
 * come meanwhile; the map is then less good, and nothing worse.
 */
function heatMap(store: Store, places: Places): Float64Array[] {
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
    const { words } = segmentOf(region, entry);
    const recency = -store.evictor.age(words, wordOf(region, entry));
    const { segment, first, last } = unitsOf(store, block, blockBytes);
    const map = heat[segment];
    const counts = movable[segment];
    if (map === undefined || counts === undefined) return;
    places.add(entry, segment, first, last);
    for (let unit = first; unit <= last; unit++) {
      counts[unit] = (counts[unit] as number) + 1;
      map[unit] = Math.max(map[unit] as number, recency);
    }
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
    if (payload !== 0) {
      const roomBytes = peek(words, at + field.blockBytes);
      // A run may be longer than its part has room.
      visit(entry, payload, roomBytes <= classBytesMax ? roomBytes : allocator.sizeOf(payload));
    }
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
