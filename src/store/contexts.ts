/** What is done to whole contexts: delete, expire, pin, hint, invalidate, and what is told of them. */

import { kinds, type KindName } from '../alloc/kind.ts';
import type { Ref } from '../memory/region.ts';
import { fail } from '../errors.ts';
import { ownerSlot, ownerWord } from '../memory/owners.ts';
import { peek, poke, store as storeWord, type Words } from '../memory/words.ts';
import { chainOf, headOf } from './context-chain.ts';
import { elementTypes, type ElementType } from './element.ts';
import {
  commitSlot,
  committed,
  expiresAtMs,
  field,
  segmentOf,
  setExpiresAt,
  state,
  stateMask,
  trait,
  versionOf,
  wordOf,
} from './entry.ts';
import { type SessionHints, withHints } from './hints.ts';
import { withPen } from './pen.ts';
import { checkVersion } from './publish.ts';
import { countPart, namesOf, retire } from './remove.ts';
import type { Store } from './store.ts';
import { firstWithTag, tagTexts, type Tag } from './tags.ts';

/** Operations that an owner's intent record can name. */
export const intent = { none: 0, deleteContext: 1 } as const;

export interface PartRecord {
  readonly part: string;
  readonly kind: KindName;
  readonly elementType: ElementType;
  readonly sizeBytes: number;
  readonly version: number;
  readonly crc32: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly pinned: boolean;
  readonly sensitive: boolean;
  readonly tags: readonly string[];
  readonly uses: number;
}

/** Live, unexpired parts of the context that `store.key` names; of one part when it is given. */
export function partsOf(store: Store, id: string, part?: string): Ref[] {
  if (part !== undefined) {
    const ref = partOf(store, id, part);
    return ref === 0 ? [] : [ref];
  }
  store.key.setContext(id);
  return chainOf(store).refs.filter((each) => isFresh(store, each));
}

/** True when a part of the context is live and unexpired. Where nothing changes, the first one tells, whatever comes behind it. */
export function isThere(store: Store, id: string): boolean {
  store.key.setContext(id);
  const head = headOf(store, store.key.contextTag());
  if (head === 0) return false;
  return (store.isStill && isFresh(store, head)) || partsOf(store, id).length > 0;
}

/** The live, unexpired part of that name, or 0. @throws invalid_argument */
export function partOf(store: Store, id: string, part: string): Ref {
  store.key.set(id, part);
  return store.findFresh();
}

/** @returns how many parts went @throws version_conflict */
export function removeParts(
  store: Store,
  id: string,
  part: string | undefined,
  ifVersion: number | undefined,
): number {
  const refs = partsOf(store, id, part);
  if (part !== undefined) checkVersion(store, refs[0] ?? 0, ifVersion);
  if (refs.length > 1) {
    announceRemoval(store);
    removeContext(store, refs);
  } else {
    for (const ref of refs) retire(store, ref, 'deleted');
  }
  return refs.length;
}

/**
 * Tells the tier below of all parts of the context that `store.key` names, before the first one goes: whoever completes the deletion after a crash may have
 * none yet. Also of those whose time is over, which go with the others then. Told again of each that does go, the tier has nothing to add.
 */
function announceRemoval(store: Store): void {
  const { lowerTier } = store;
  if (lowerTier === undefined) return;
  for (const ref of chainOf(store).refs) {
    const { words } = segmentOf(store.region, ref);
    lowerTier.leaving(ref, words, wordOf(store.region, ref), 'deleted');
  }
}

/** All parts or, after a crash and recovery, all parts: the intent names the context by its last part to go. */
export function removeContext(store: Store, refs: readonly Ref[]): void {
  const words = store.control;
  const slot = Math.max(store.region.ownerSlot, 0);
  poke(words, ownerWord(slot, ownerSlot.intentEntry), refs[0] as Ref);
  storeWord(words, ownerWord(slot, ownerSlot.intentOp), intent.deleteContext);
  try {
    for (const ref of refs.toReversed()) retire(store, ref, 'deleted');
  } finally {
    // Also when damage cut it short: the entry may become another context's part, and a later recovery must not delete that.
    storeWord(words, ownerWord(slot, ownerSlot.intentOp), intent.none);
  }
}

/** Parts of one tag that go before others get a turn. */
const invalidatedAtOnce = 64;

/**
 * Takes the pen itself, several times where many parts go.
 * @param below invalidates what lower tiers have, and counts it: while the pen is held under which memory had none left, or a part
 * that comes from there or goes there meanwhile would be met in neither
 * @returns how many parts went whose time was not over before
 * @throws pool_busy
 */
export function invalidate(store: Store, tag: Tag, below: () => number): number {
  let count = 0;
  for (let isDone = false; !isDone;) {
    isDone = withPen(store, () => {
      for (let i = 0; i < invalidatedAtOnce; i++) {
        const ref = firstWithTag(store, tag);
        if (ref === 0) {
          count += below();
          return true;
        }
        if (invalidatePart(store, ref)) count++;
      }
      return false;
    });
  }
  return count;
}

/** @returns false for one whose time was over */
function invalidatePart(store: Store, ref: Ref): boolean {
  const { words } = segmentOf(store.region, ref);
  // Retiring what is gone already would lead here again and again.
  if (!isLive(words, wordOf(store.region, ref))) {
    fail('pool_corrupt', `A tag leads to entry ${ref}, which is not live.`);
  }
  const fresh = isFresh(store, ref);
  retire(store, ref, fresh ? 'invalidated' : 'expired');
  return fresh;
}

/** `atMs` 0: never. */
export function setExpiry(store: Store, refs: readonly Ref[], atMs: number): number {
  for (const ref of refs) {
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    poke(words, at + field.persisted, 0);
    setExpiresAt(words, at, atMs);
  }
  return refs.length;
}

export function setPinned(store: Store, refs: readonly Ref[], pinned: boolean): number {
  for (const ref of refs) {
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref) + field.traits;
    const old = peek(words, at);
    poke(words, at, pinned ? old | trait.pinned : old & ~trait.pinned);
    const changed = ((old & trait.pinned) !== 0) !== pinned;
    if (!changed) continue;
    poke(words, wordOf(store.region, ref) + field.persisted, 0);
    countPart(store, 0, 0, pinned ? 1 : -1);
  }
  return refs.length;
}

export function setHints(store: Store, refs: readonly Ref[], hint: SessionHints): number {
  for (const ref of refs) {
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref) + field.hints;
    poke(words, at, withHints(peek(words, at), hint));
  }
  return refs.length;
}

export function recordOf(store: Store, ref: Ref): PartRecord {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const traits = peek(words, at + field.traits);
  const slot = committed(words, at);
  const expires = expiresAtMs(words, at);
  const checksummed = (traits & trait.checksummed) !== 0;
  return {
    part: namesOf(store, ref).part,
    kind: kinds[traits & trait.kindMask] as KindName,
    elementType: elementTypes[(traits >>> trait.elementShift) & trait.elementMask] as ElementType,
    sizeBytes: peek(words, slot + commitSlot.length),
    version: versionOf(words, at),
    crc32: checksummed ? peek(words, slot + commitSlot.crc32) >>> 0 : undefined,
    expiresAtMs: expires === 0 ? undefined : expires,
    pinned: (traits & trait.pinned) !== 0,
    sensitive: (traits & trait.sensitive) !== 0,
    tags: tagTexts(store, words, at),
    uses: peek(words, at + field.uses),
  };
}

/** True for a live part whose time is not over. */
export function isFresh(store: Store, ref: Ref): boolean {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  return isLive(words, at) && !store.isExpired(words, at);
}

export function isLive(words: Words, at: number): boolean {
  return (peek(words, at + field.state) & stateMask) === state.live;
}
