/**
 * Frees between owners: whoever frees a block of another owner's slab sets its remote bit, and
 * nothing else; the owner takes the block back when it looks for free ones.
 *
 * No lists and no links: a bit that is set already is a double free, and every state is readable
 * after a crash. The owner clears a remote bit after it has taken the block back, so that a free is
 * never in a dead owner's registers only.
 */

import { fail } from '../errors.ts';
import { granuleShift, type Ref, type Region, type Segment } from '../memory/region.ts';
import { and, load, loadInOrder, or, type OrAt, peek, poke, type Words } from '../memory/words.ts';
import { giveNews } from './counters.ts';
import {
  allocControl,
  bitsWordShift,
  freeAt,
  keptAt,
  liveAt,
  nobody,
  ownerMask,
  remoteAt,
  slabFreeCount,
  slabHeaderShift,
  slabNews,
  slabOwnerShift,
  stackMask,
} from './layout.ts';
import type { RunOwner } from './runs.ts';
import type { SegmentView } from './segment-view.ts';
import { freeTogether } from './slab-blocks.ts';
import { Tips } from './tips.ts';

function noOrAt(): never {
  throw new RangeError('these words have no orAt');
}

/** Tells owners of what is freed of theirs. */
export class Messenger {
  readonly #region: Region;
  readonly #windowShift: number;
  readonly #tips: Tips;
  /** The bitmaps for whose words there is `orAt`: those of the first segment, or none. */
  readonly quickBits: Words | undefined;
  readonly orAt: OrAt;
  /** Where these bitmaps begin in their buffer. */
  readonly quickByte: number;

  constructor(region: Region, { bits, segment }: SegmentView) {
    this.quickBits = segment.orAt === undefined ? undefined : bits;
    this.orAt = segment.orAt ?? noOrAt;
    this.quickByte = bits.byteOffset;
    this.#region = region;
    this.#windowShift = region.slabShift - granuleShift;
    this.#tips = new Tips(region);
  }

  /** A block is freed whose word of 32 had no remote bits. */
  tellOfWord(headers: Words, granule: number, ref: Ref): void {
    const window = granule >> this.#windowShift;
    const word = (granule >> 5) - ((window << this.#windowShift) >> 5);
    const header = tellOwner(this.#region, headers, window, word);
    if (header !== 0) this.#tips.passThrough(ref >> this.#windowShift, header);
  }
}

/**
 * Frees a live block of a slab that is not this owner's. Small, and a constant, so that V8 inlines it.
 * @throws double_free when another has done so and the owner has not collected it
 */
export const freeRemotely = (
  messenger: Messenger,
  headers: Words,
  bits: Words,
  granule: number,
  ref: Ref,
): void => {
  const bit = 1 << granule;
  const word = ((granule >> 5) << bitsWordShift) + remoteAt;
  const before =
    bits === messenger.quickBits
      ? messenger.orAt(messenger.quickByte + (word << 2), bit)
      : or(bits, word, bit);
  if ((before & bit) !== 0) fail('double_free', `reference ${ref} is free already`);
  // Else whoever set the first bit of the word has done so.
  if (before === 0) messenger.tellOfWord(headers, granule, ref);
};

/** Says that word `word` of a slab has remote bits. @returns the slab's header */
export function tellOwner(region: Region, headers: Words, window: number, word: number): number {
  const at = window << slabHeaderShift;
  or(headers, at + slabNews, 1 << (word & 31));
  // Looked up after the news are set: one of us, the owner who leaves and this one, sees the other.
  const header = loadInOrder(headers, at);
  const owner = (header >> slabOwnerShift) & ownerMask;
  if (owner === nobody) announceOrphan(region, headers, at, header & stackMask);
  else if (header !== 0) giveNews(region, owner);
  return header;
}

/** Says that a stack has a slab of nobody that is worth looking at, if it is. */
export function announceOrphan(
  region: Region,
  headers: Int32Array,
  at: number,
  stack: number,
): void {
  if (peek(headers, at + slabFreeCount) === 0 && load(headers, at + slabNews) === 0) return;
  const { words } = region.segments[0] as Segment;
  const word = allocControl.orphans + (stack >> 5);
  const bit = 1 << (stack & 31);
  if ((load(words, word) & bit) === 0) or(words, word, bit);
}

/**
 * Takes back, as their owner, what others have freed of a slab.
 * @param firstRef of the slab
 * @returns how many blocks; their free bits are set, the slab's count is not changed
 */
export function collectNews(
  view: SegmentView,
  window: number,
  slabWords: number,
  firstRef: Ref,
  owner: RunOwner,
): number {
  let freed = 0;
  const first = (window * slabWords) << bitsWordShift;
  const news = and(view.headers, (window << slabHeaderShift) + slabNews, 0);
  for (let bits = news; bits !== 0; bits &= bits - 1) {
    for (let word = 31 - Math.clz32(bits & -bits); word < slabWords; word += 32) {
      freed += collectWord(view, first + (word << bitsWordShift), firstRef + (word << 5), owner);
    }
  }
  return freed;
}

function collectWord(view: SegmentView, at: number, firstRef: Ref, owner: RunOwner): number {
  const { bits } = view;
  let freed = 0;
  let remote = load(bits, at + remoteAt);
  while (remote !== 0) {
    // A bit of a block that is not live is a double free that nobody could tell any more.
    const taken = remote & peek(bits, at + liveAt);
    if ((peek(bits, at + keptAt) & remote) !== 0) and(bits, at + keptAt, ~remote);
    freed += freeTogether(owner.counters, bits, at, firstRef, taken);
    poke(bits, at + freeAt, peek(bits, at + freeAt) | taken);
    // Bits that were set since found the word not empty, so nobody told of them.
    remote = and(bits, at + remoteAt, ~remote) & ~remote;
  }
  return freed;
}
