/**
 * A store copied into another while it changes. Entries never move and every change of one shows in a few of its words: rounds over all entries
 * copy what has changed since the round before, until little does; the last round is made under the pen, and so the copy is of that one moment.
 * Writers wait for that round only: for a look at each entry, and for what they have changed during the round before.
 */

import { kinds } from '../alloc/kind.ts';
import { fail } from '../errors.ts';
import { peek, type Words } from '../memory/words.ts';
import { partOf, type PartRecord } from '../store/contexts.ts';
import { PartDraft } from '../store/draft.ts';
import { elementCode } from '../store/element.ts';
import { field, segmentOf, state, stateMask, trait, wordOf } from '../store/entry.ts';
import { holdEntry } from '../store/hold.ts';
import { withPen } from '../store/pen.ts';
import type { PartSpec } from '../store/publish.ts';
import { namesOf, retire } from '../store/remove.ts';
import { recordNamed } from '../store/stable.ts';
import type { Store } from '../store/store.ts';
import { encodeTag } from '../store/tags.ts';

/** Words kept of each entry: what shows that it has changed, its state word first … */
const watched = [
  field.state,
  field.selector,
  field.traits,
  field.expiresLow,
  field.expiresHigh,
] as const;
/** … and where its copy is, with the state word of that. */
const copyAt: number = watched.length;
const copyLife: number = copyAt + 1;
const wordsEach: number = copyLife + 1;
/** State word of an entry that nobody ever had. */
const neverSeen = 0;

/** Bytes and entries between two turns of the event loop. */
const turnBytes: number = 2 * 2 ** 20;
const turnEntries = 2048;
/** A round that has copied no more than this may be followed by the last one. */
const fewBytes: number = 2 * 2 ** 20;
const fewParts = 256;
/** Of its capacity so much is for tables and for what does not fit together: a copy that has no more room is rid of what has changed first. It must not evict. */
const sparePart: number = 1 / 16;
/** Where writers are so quick that no round is short, the last one takes what is left after so many. */
const roundsMax = 16;
/** What marks the traits that make a part another one: how it is stored is the copy's own. */
const traitsMask: number = trait.kindMask | trait.pinned | trait.expiring | trait.sensitive;

export class OnlineCopy {
  readonly #source: Store;
  readonly #target: Store;
  readonly #onBytes: (sizeBytes: number) => void;
  #seen = new Int32Array(0);
  #copiedParts = 0;
  #copiedBytes = 0;
  /** What had been copied of the round when all entries were looked at for what is gone. */
  #droppedAtBytes = -turnBytes;

  /** `onBytes` is told of bytes copied, and may throw to end it. */
  constructor(source: Store, target: Store, onBytes: (sizeBytes: number) => void) {
    this.#source = source;
    this.#target = target;
    this.#onBytes = onBytes;
  }

  /** Parts that have a copy. */
  get parts(): number {
    let count = 0;
    for (let at = copyAt; at < this.#seen.length; at += wordsEach) {
      if (this.#seen[at] !== 0) count++;
    }
    return count;
  }

  /** Copies in rounds while the source changes. @throws part_corrupt, pool_full, what `onBytes` throws */
  async approach(): Promise<void> {
    for (let round = 0; round < roundsMax; round++) {
      this.#copiedParts = 0;
      this.#copiedBytes = 0;
      this.#droppedAtBytes = -turnBytes;
      for (const _ of this.#round()) await new Promise((resolve) => void setImmediate(resolve));
      if (this.#copiedBytes <= fewBytes && this.#copiedParts <= fewParts) return;
    }
  }

  /** Under the pen of the source: from here on the copy is what the source is now. */
  finish(): void {
    const steps = this.#round();
    while (steps.next().done !== true);
  }

  /** Yields where others may have a turn. */
  *#round(): Generator<void> {
    const { entries } = this.#source;
    let looked = 0;
    let turn = 0;
    for (let ordinal = 0; ordinal < entries.count; ordinal++) {
      const before = this.#copiedBytes;
      yield* this.#look(ordinal);
      turn += this.#copiedBytes - before;
      if (++looked < turnEntries && turn < turnBytes) continue;
      looked = 0;
      turn = 0;
      yield;
    }
  }

  *#look(ordinal: number): Generator<void> {
    const source = this.#source;
    this.#makeRoom(ordinal);
    const ref = source.entries.at(ordinal);
    const { words } = segmentOf(source.region, ref);
    const at = wordOf(source.region, ref);
    if (this.#isSame(ordinal, words, at)) return;
    const life = this.#seen[ordinal * wordsEach] as number;
    const held = withPen(source, () => {
      const isLive = (peek(words, at + field.state) & stateMask) === state.live;
      this.#note(ordinal, words, at);
      return isLive && !source.isExpired(words, at)
        ? { ...holdEntry(source, ref), ...namesOf(source, ref) }
        : undefined;
    });
    // The entry may be another part's by now.
    if (held === undefined || life !== this.#seen[ordinal * wordsEach]) this.#drop(ordinal);
    if (held === undefined) return;
    try {
      yield* this.#copy(ordinal, held);
    } finally {
      held.release();
    }
  }

  *#copy(
    ordinal: number,
    {
      id,
      part,
      record,
      bytes,
    }: Names & { readonly record: PartRecord; readonly bytes: Uint8Array },
  ): Generator<void> {
    const target = this.#target;
    if (this.#isShortFor(bytes.length)) this.#dropGone();
    const draft = new PartDraft(target, id, part, specOf(target, record), bytes.length);
    try {
      for (let from = 0; from < bytes.length; from += turnBytes) {
        if (from > 0) yield;
        const piece = bytes.subarray(from, from + turnBytes);
        draft.write(piece);
        this.#copiedBytes += piece.length;
        this.#onBytes(piece.length);
      }
      draft.commit();
    } finally {
      draft.abort();
    }
    this.#copiedParts++;
    const copy = recordNamed(target, id, part);
    const isIntact =
      record.crc32 === undefined || copy?.crc32 === undefined || copy.crc32 === record.crc32;
    if (!isIntact) {
      fail(
        'part_corrupt',
        `Part ${JSON.stringify(part)} of ${JSON.stringify(id)} does not match its checksum.`,
      );
    }
    const ref = partOf(target, id, part);
    const life = peek(segmentOf(target.region, ref).words, wordOf(target.region, ref));
    this.#seen[ordinal * wordsEach + copyAt] = ref;
    this.#seen[ordinal * wordsEach + copyLife] = life;
  }

  /** Asked again only after a turn's bytes: a look at all entries takes as long as copying some of those. */
  #isShortFor(sizeBytes: number): boolean {
    if (this.#copiedBytes - this.#droppedAtBytes < turnBytes) return false;
    const { capacityBytes } = this.#target.region.superblock;
    const roomBytes = capacityBytes * (1 - sparePart) - this.#target.allocator.usedBytes;
    return roomBytes < sizeBytes + turnBytes;
  }

  /** Removes the copies of all that has changed since: the source has filled their room anew. What is still there is copied again in its turn. */
  #dropGone(): void {
    const source = this.#source;
    this.#droppedAtBytes = this.#copiedBytes;
    for (let ordinal = 0; ordinal * wordsEach < this.#seen.length; ordinal++) {
      if (this.#seen[ordinal * wordsEach + copyAt] === 0) continue;
      const ref = source.entries.at(ordinal);
      const { words } = segmentOf(source.region, ref);
      if (this.#isSame(ordinal, words, wordOf(source.region, ref))) continue;
      this.#drop(ordinal);
      // It may become again what it was: pinned and unpinned, it would pass for copied.
      this.#seen[ordinal * wordsEach] = neverSeen;
    }
  }

  /** Removes the copy of a part that is not in its entry any more. Where it came back in another, its copy may have taken the place of this one. */
  #drop(ordinal: number): void {
    const at = ordinal * wordsEach;
    const ref = this.#seen[at + copyAt] as number;
    this.#seen[at + copyAt] = 0;
    if (ref === 0) return;
    const target = this.#target;
    const { words } = segmentOf(target.region, ref);
    const life = peek(words, wordOf(target.region, ref));
    if (life !== this.#seen[at + copyLife] || (life & stateMask) !== state.live) return;
    withPen(target, () => retire(target, ref, 'deleted'));
  }

  #isSame(ordinal: number, words: Words, at: number): boolean {
    const seen = ordinal * wordsEach;
    for (let i = 0; i < watched.length; i++) {
      if (this.#seen[seen + i] !== watchedWord(words, at, i)) return false;
    }
    return true;
  }

  #note(ordinal: number, words: Words, at: number): void {
    for (let i = 0; i < watched.length; i++) {
      this.#seen[ordinal * wordsEach + i] = watchedWord(words, at, i);
    }
  }

  #makeRoom(ordinal: number): void {
    const needed = (ordinal + 1) * wordsEach;
    if (needed <= this.#seen.length) return;
    const larger = new Int32Array(Math.max(needed * 2, this.#source.entries.count * wordsEach));
    larger.set(this.#seen);
    this.#seen = larger;
  }
}

interface Names {
  readonly id: string;
  readonly part: string;
}

function watchedWord(words: Words, at: number, i: number): number {
  const word = watched[i] as number;
  return word === field.traits ? peek(words, at + word) & traitsMask : peek(words, at + word);
}

function specOf(target: Store, record: PartRecord): PartSpec {
  return {
    kind: kinds.indexOf(record.kind),
    element: elementCode(record.elementType),
    pinned: record.pinned,
    sensitive: record.sensitive,
    expiresAtMs: record.expiresAtMs ?? 0,
    tags: record.tags.map((text) => encodeTag(target, text)),
    ifVersion: undefined,
    checkedEpoch: undefined,
    returning: { version: record.version, mayCome: () => true },
  };
}
