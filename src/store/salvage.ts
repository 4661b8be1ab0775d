/**
 * Finds the parts that are intact in the memory of a pool of which nothing else can be believed: no index, no page table, no list.
 *
 * An entry is told from anything else by its key: both words of the hash, with the pool's secret seed, must be those of the key that it leads to.
 * So every granule can be looked at, whatever it holds. (One word does not do: where a power loss has put the first line of an entry's
 * former life before the rest of the next one, it says one key and has the bytes of another.) What has a checksum must match it; of two
 * entries with one key the higher version counts. What entries say beside that (kinds, times, tags, pins) has no checksum: it is taken
 * when it is possible.
 */

import { kinds } from '../alloc/kind.ts';
import { crc32 } from '../base/checksum.ts';
import { control, controlByte, fixedPrefixBytes, ownersMaxLimit } from '../memory/layout.ts';
import { ownerFree, ownerSlot, ownerWord } from '../memory/owners.ts';
import { granuleShift, type Ref, type Segment } from '../memory/region.ts';
import type { Superblock } from '../memory/superblock.ts';
import { peek, type Words } from '../memory/words.ts';
import { intent } from './contexts.ts';
import { readCell } from './counters.ts';
import { bytesPerElement, elementTypes } from './element.ts';
import {
  commitSlot,
  committed,
  entryGranules,
  field,
  state,
  stateMask,
  trait,
  versionOf,
} from './entry.ts';
import { inlineKeyWords, Key, readNames } from './keys.ts';
import { partMaxBytes } from './options.ts';
import { versionsPerMs } from './publish.ts';
import { node, tagMaxBytes, tagsMax } from './tags.ts';

/** A part that is intact. */
export interface Survivor {
  readonly id: string;
  readonly part: string;
  readonly version: number;
  /** Words of the segment that its entry is in, and where it begins. */
  readonly words: Words;
  readonly at: number;
  /** Its bytes, where they are. */
  readonly bytes: Uint8Array;
  readonly tags: readonly string[];
}

/** Something that is lost. */
export interface Loss {
  readonly id: string;
  readonly part: string;
  readonly version: number;
  readonly why: string;
}

export interface Salvage {
  readonly survivors: readonly Survivor[];
  /** Parts that are lost. */
  readonly dropped: readonly Loss[];
  /** Parts of which something less than their bytes is lost. */
  readonly impaired: readonly Loss[];
  /** Of the version clock: no version of the pool was higher, as far as that is known. */
  readonly lastVersion: number;
}

interface Name {
  readonly id: string;
  readonly part: string;
}

const versionLimit: number = 2 ** 53;
/** Entries that all of memory has room for. */
const entriesLimit: number = 2 ** 30;

class Salvager {
  readonly dropped: Loss[] = [];
  readonly impaired: Loss[] = [];
  readonly #segments: readonly (Segment | undefined)[];
  readonly #shift: number;
  readonly #key: Key;
  readonly #best: Map<string, Survivor> = new Map();

  constructor(segments: readonly (Segment | undefined)[], block: Superblock) {
    this.#segments = segments;
    this.#shift = block.segmentShift - granuleShift;
    this.#key = new Key(block.hashSeedLow, block.hashSeedHigh);
  }

  /** Looks at every place where an entry may be. */
  scan(): void {
    const granuleWords = 16;
    for (const segment of this.#segments) {
      if (segment === undefined) continue;
      const { words } = segment;
      const end = words.length - entryGranules * granuleWords;
      for (let at = fixedPrefixBytes >> 2; at <= end; at += granuleWords) {
        if ((peek(words, at) & stateMask) === state.live && isPossible(words, at))
          this.#take(segment, at);
      }
    }
  }

  /** What is left when entries that lie in the bytes of others are taken out: those are what somebody has stored. */
  survivors(): Survivor[] {
    const found = [...this.#best.values()];
    const extents = new Extents(found.map(({ bytes }) => bytes));
    return found.filter(({ words, at }) => !extents.cover(words.buffer, words.byteOffset + 4 * at));
  }

  /** The context that an entry is of; undefined when it is none. */
  contextOf(ref: Ref): string | undefined {
    const segment = this.#segments[ref >>> this.#shift];
    const at = (ref & ((1 << this.#shift) - 1)) << 4;
    if (segment === undefined || at + entryGranules * 16 > segment.words.length) return undefined;
    return this.#nameOf(segment, at)?.id;
  }

  #take(segment: Segment, at: number): void {
    const { words } = segment;
    const name = this.#nameOf(segment, at);
    if (name === undefined) return;
    const version = versionOf(words, at);
    const known = { ...name, version };
    const bytes = this.#bytesAt(words, at);
    const traits = peek(words, at + field.traits);
    if (typeof bytes === 'string') {
      this.dropped.push({ ...known, why: bytes });
      return;
    }
    if ((traits & trait.kindMask) >= kinds.length)
      this.impaired.push({ ...known, why: 'its kind is lost' });
    const tags: string[] = [];
    const lost = this.#readTags(words, at, (segment.number << this.#shift) + (at >> 4), tags);
    if (lost !== undefined) this.impaired.push({ ...known, why: lost });
    const key = JSON.stringify([name.id, name.part]);
    const other = this.#best.get(key);
    if (other === undefined || other.version < version)
      this.#best.set(key, { ...known, words, at, bytes, tags });
  }

  /** The names in an entry's key; undefined when the entry's hash is not that of the key. */
  #nameOf(segment: Segment, at: number): Name | undefined {
    const { words } = segment;
    const keyRef = peek(words, at + field.keyRef);
    const home = keyRef === 0 ? segment : this.#segments[keyRef >>> this.#shift];
    const keyAt = keyRef === 0 ? at + field.key : (keyRef & ((1 << this.#shift) - 1)) << 4;
    if (keyRef < 0 || home === undefined || keyAt >= home.words.length) return undefined;
    if (!this.#key.load(home.words, keyAt)) return undefined;
    if (keyRef === 0 && this.#key.length > inlineKeyWords) return undefined;
    if (this.#key.low !== peek(words, at + field.hashLow)) return undefined;
    if (this.#key.high !== peek(words, at + field.hashHigh)) return undefined;
    return readNames(home.words, home.bytes, keyAt);
  }

  /** The committed bytes of an entry, or why they are lost. */
  #bytesAt(words: Words, at: number): Uint8Array | string {
    const version = versionOf(words, at);
    if (!(version > 0 && version < versionLimit)) return `its version ${version} is impossible`;
    const slot = committed(words, at);
    const isEmpty = peek(words, slot + commitSlot.ref) === 0;
    // A slot that was never written looks like that of an empty part, whose checksum is 0; but the part has a block.
    if (isEmpty && peek(words, at + field.blockBytes) !== 0) return 'its bytes are not there';
    return this.#bytesOf(words, at, slot);
  }

  #bytesOf(words: Words, at: number, slot: number): Uint8Array | string {
    const ref = peek(words, slot + commitSlot.ref);
    const length = peek(words, slot + commitSlot.length);
    const traits = peek(words, at + field.traits);
    const element = (traits >>> trait.elementShift) & trait.elementMask;
    if (length < 0 || length > partMaxBytes || length % bytesPerElement(element) !== 0)
      return `its length ${length} is impossible`;
    const found = this.#extent(ref, length);
    if (found === undefined) return `its ${length} bytes are not there`;
    const sum = peek(words, slot + commitSlot.crc32);
    // Without a checksum it is 0: where it is not, it is the traits that are damaged.
    const isChecked = (traits & trait.checksummed) !== 0 || sum !== 0;
    if (isChecked && crc32(found) !== sum) return 'its bytes do not match their checksum';
    return found;
  }

  #extent(ref: Ref, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    const segment = ref > 0 ? this.#segments[ref >>> this.#shift] : undefined;
    if (segment === undefined) return undefined;
    const from = (ref & ((1 << this.#shift) - 1)) << granuleShift;
    return from + length <= segment.sizeBytes
      ? segment.bytes.subarray(from, from + length)
      : undefined;
  }

  /** Gathers the texts of an entry's tags. @returns what is lost of them */
  #readTags(words: Words, at: number, entry: Ref, texts: string[]): string | undefined {
    for (let ref = peek(words, at + field.tagRef); ref !== 0;) {
      const segment = ref > 0 ? this.#segments[ref >>> this.#shift] : undefined;
      const nodeAt = (ref & ((1 << this.#shift) - 1)) << 4;
      if (segment === undefined || texts.length === tagsMax) return 'some of its tags are lost';
      if (nodeAt + node.text >= segment.words.length) return 'some of its tags are lost';
      const bytes = peek(segment.words, nodeAt + node.bytes);
      const isOwn = peek(segment.words, nodeAt + node.entry) === entry;
      if (!isOwn || bytes < 1 || bytes > tagMaxBytes) return 'some of its tags are lost';
      const from = (nodeAt + node.text) << 2;
      const text = Buffer.from(segment.bytes.slice(from, from + bytes));
      const image = new Int32Array(1 + ((bytes + 3) >> 2));
      image[0] = bytes;
      new Uint8Array(image.buffer, 4).set(text);
      const hash = this.#key.tagHash(image, image.length);
      if (hash !== peek(segment.words, nodeAt + node.hash)) return 'some of its tags are lost';
      texts.unshift(text.toString());
      ref = peek(segment.words, nodeAt + node.ofEntry);
    }
    return undefined;
  }
}

/** Where bytes of parts are. */
class Extents {
  /** By buffer, in the order of where they begin. */
  readonly #sorted: Map<ArrayBufferLike, Uint8Array[]> = new Map();

  constructor(all: readonly Uint8Array[]) {
    for (const bytes of all) {
      const list = this.#sorted.get(bytes.buffer);
      if (list === undefined) this.#sorted.set(bytes.buffer, [bytes]);
      else list.push(bytes);
    }
    for (const list of this.#sorted.values()) list.sort((a, b) => a.byteOffset - b.byteOffset);
  }

  cover(buffer: ArrayBufferLike, byte: number): boolean {
    const list = this.#sorted.get(buffer) ?? [];
    let low = 0;
    for (let high = list.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((list[middle] as Uint8Array).byteOffset <= byte) low = middle + 1;
      else high = middle;
    }
    const last = list[low - 1];
    return last !== undefined && byte < last.byteOffset + last.length;
  }
}

/** True when the element type of an entry is one: what costs least to look at. */
function isPossible(words: Words, at: number): boolean {
  const traits = peek(words, at + field.traits);
  return ((traits >>> trait.elementShift) & trait.elementMask) < elementTypes.length;
}

/** Everything that is intact under a superblock, or what it may have been. */
export function salvage(
  segments: readonly (Segment | undefined)[],
  block: Superblock,
  lastVersion: number,
): Salvage {
  const salvager = new Salvager(segments, block);
  salvager.scan();
  const doomed = doomedContexts(segments[0], salvager);
  const found = salvager.survivors();
  const survivors = found.filter(({ id }) => !doomed.has(id));
  const kept = new Map(survivors.map((each) => [JSON.stringify([each.id, each.part]), each]));
  // Where another version is kept, an older one that is lost is no loss.
  const dropped = salvager.dropped.filter(({ id, part, version }) => {
    const other = kept.get(JSON.stringify([id, part]));
    return other === undefined || other.version < version;
  });
  const impaired = salvager.impaired.filter(
    ({ id, part, version }) => kept.get(JSON.stringify([id, part]))?.version === version,
  );
  const highest = survivors.reduce((most, { version }) => Math.max(most, version), lastVersion);
  return { survivors, dropped, impaired, lastVersion: highest };
}

/** Contexts that were being deleted when their owner died: recovery would have completed it. */
function doomedContexts(first: Segment | undefined, salvager: Salvager): Set<string> {
  const doomed = new Set<string>();
  if (first === undefined) return doomed;
  const slotEnd = ownerWord(ownersMaxLimit, 0);
  if (first.words.length < slotEnd) return doomed;
  for (let slot = 0; slot < ownersMaxLimit; slot++) {
    const isClosed = peek(first.words, ownerWord(slot, ownerSlot.state)) === ownerFree;
    const op = peek(first.words, ownerWord(slot, ownerSlot.intentOp));
    if (isClosed || op !== intent.deleteContext) continue;
    const id = salvager.contextOf(peek(first.words, ownerWord(slot, ownerSlot.intentEntry)));
    if (id !== undefined) doomed.add(id);
  }
  return doomed;
}

/** A clock that runs ahead of this machine's by more is damage. */
const aheadMaxMs: number = 366 * 24 * 3_600_000;

/** The highest version that the pool has given out, as far as that can be believed; else 0. */
export function versionClockOf(first: Segment | undefined, nowMs: number): number {
  const cell = (controlByte >> 2) + control.versionLow;
  if (first === undefined || first.words.length <= cell + 1) return 0;
  const version = readCell(first.words, cell);
  return version < (nowMs + aheadMaxMs) * versionsPerMs ? version : 0;
}

/** How many parts the pool had counted, as far as that is possible; else 0. */
export function partsCounted(first: Segment | undefined): number {
  const cell = (controlByte >> 2) + control.parts;
  if (first === undefined || first.words.length <= cell) return 0;
  const parts = peek(first.words, cell);
  return parts > 0 && parts < entriesLimit ? parts : 0;
}
