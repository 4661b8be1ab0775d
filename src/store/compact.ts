/**
 * Compaction: parts move to where memory is fullest, so that free memory comes together in long runs and empty segments.
 *
 * Low segments fill first, each from its high end. A round takes the parts of the highest segment first, and of each from the low end upwards. Each
 * moves to the shortest free run that it fits into, if that is nearer to the full end. Every move brings bytes nearer to it, so that rounds come to an
 * end. Blocks of slabs stay: a slab is given back when it is empty.
 */

import { classBytesMax } from '../alloc/classes.ts';
import { granuleShift, type Ref } from '../memory/region.ts';
import { peek, type Words } from '../memory/words.ts';
import { isLive } from './contexts.ts';
import { bump, counter } from './counters.ts';
import { commitSlot, committed, field, segmentOf, trait, wordOf } from './entry.ts';
import { mayMove, movePart } from './move.ts';
import { withPen } from './pen.ts';
import { chargeIfAllowed, freePayload } from './publish.ts';
import { sweepRetired } from './remove.ts';
import type { Store } from './store.ts';

/** What a call did. See `Pool.compact` in pool/api.ts. */
export interface Compacted {
  readonly movedParts: number;
  readonly movedBytes: number;
  readonly done: boolean;
}

/** A part that may move. */
interface Movable {
  readonly ref: Ref;
  readonly words: Words;
  readonly at: number;
  readonly payload: Ref;
}

/** Moves parts, round after round, until `limitBytes` have been moved or nothing more is to be moved. */
export function compact(store: Store, limitBytes: number): Compacted {
  let movedParts = 0;
  let movedBytes = 0;
  withPen(store, () => sweepRetired(store));
  for (;;) {
    store.allocator.flush(); // what is held back for the next request is in the way
    const before = movedParts;
    for (const part of partsFromTheEmptierEnd(store)) {
      if (movedBytes >= limitBytes) break;
      const bytes = withPen(store, () => moveNearer(store, part));
      if (bytes === 0) continue;
      movedParts++;
      movedBytes += bytes;
    }
    const done = movedParts === before;
    if (done || movedBytes >= limitBytes) {
      store.allocator.flush(); // what was left behind comes together
      return { movedParts, movedBytes, done };
    }
  }
}

/** @returns the bytes of the block that moved, or 0 */
function moveNearer(store: Store, { ref, words, at, payload }: Movable): number {
  // Others may have had the pen since it was found.
  if (!isLive(words, at)) return 0;
  if (peek(words, committed(words, at) + commitSlot.ref) !== payload) return 0;
  const traits = peek(words, at + field.traits);
  const kind = traits & trait.kindMask;
  const blockBytes = peek(words, at + field.blockBytes);
  const to = store.allocator.allocateNearer(payload);
  if (to === 0) return 0;
  const given = chargeIfAllowed(store, kind, to, 0, blockBytes);
  if (given === undefined) return 0;
  try {
    if (!movePart(store, ref, words, at, given)) return 0;
  } finally {
    freePayload(store, { kind, sensitive: (traits & trait.sensitive) !== 0 }, given);
  }
  bump(store.control, store.countersAt + counter.moves, 1);
  return blockBytes;
}

/** Parts with a run: those in the highest segment first, and in each from the low end upwards. */
function partsFromTheEmptierEnd(store: Store): Movable[] {
  const { entries, region } = store;
  const shift = region.segmentShift - granuleShift;
  const found: Movable[] = [];
  for (let ordinal = 0; ordinal < entries.count; ordinal++) {
    const ref = entries.at(ordinal);
    const { words } = segmentOf(region, ref);
    const at = wordOf(region, ref);
    if (!isLive(words, at) || peek(words, at + field.blockBytes) <= classBytesMax) continue;
    if (!mayMove(store, ref, words, at)) continue;
    found.push({ ref, words, at, payload: peek(words, committed(words, at) + commitSlot.ref) });
  }
  return found.sort(
    (a, b) => (b.payload >>> shift) - (a.payload >>> shift) || a.payload - b.payload,
  );
}
