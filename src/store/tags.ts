/**
 * Tags: one node per part and tag, in metadata memory, doubly linked per tag; the head of each list is in the tags index.
 *
 * ```
 * word 0      1     2     3         4            5       6 …
 * ┌──────────┬─────┬─────┬─────────┬────────────┬───────┬──────────────────┐
 * │ entry    │ hash│ next│ previous│ next tag of│ bytes │ text, UTF-8,     │
 * │          │     │     │ with tag│ this entry │       │ 0 to the word end│
 * └──────────┴─────┴─────┴─────────┴────────────┴───────┴──────────────────┘
 * ```
 */

import { metadataKind } from '../alloc/kind.ts';
import { show } from '../base/show.ts';
import { decodeUtf8 } from '../base/utf8.ts';
import { fail } from '../errors.ts';
import type { Ref } from '../memory/region.ts';
import { copyInto, peek, poke, type Words } from '../memory/words.ts';
import { field, segmentOf, wordOf } from './entry.ts';
import { nameMaxBytes } from './keys.ts';
import type { Store } from './store.ts';

/** Most tags of one part, dependencies included. */
export const tagsMax = 64;
/** Prefix of the tag that a dependency is stored as. */
export const dependencyPrefix = 'dep:';
export const tagMaxBytes: number = nameMaxBytes + dependencyPrefix.length;

export const node = {
  entry: 0,
  hash: 1,
  next: 2,
  previous: 3,
  ofEntry: 4,
  bytes: 5,
  text: 6,
} as const;

const encoder = new TextEncoder();

/** A tag's text, encoded and hashed. */
export interface Tag {
  readonly bytes: Uint8Array;
  readonly words: Words;
  readonly hash: number;
}

/** @throws invalid_argument unless the text is 1–512 bytes of UTF-8 (516 with `dep:`) */
export function encodeTag(store: Store, text: string): Tag {
  const valid = typeof text === 'string' && text.length > 0 && text.isWellFormed();
  const encoded = valid ? encoder.encode(text) : new Uint8Array(0);
  const limit = valid && text.startsWith(dependencyPrefix) ? tagMaxBytes : nameMaxBytes;
  if (encoded.length === 0 || encoded.length > limit) {
    fail(
      'invalid_argument',
      `A tag must be 1 to ${nameMaxBytes} bytes of UTF-8; got ${show(text)}.`,
    );
  }
  const words = new Int32Array(1 + ((encoded.length + 3) >> 2));
  const bytes = new Uint8Array(words.buffer);
  words[0] = encoded.length;
  bytes.set(encoded, 4);
  return { bytes, words, hash: store.key.tagHash(words, words.length) };
}

/** Nodes for an entry's tags, not linked yet. `undefined` when memory is exhausted. @throws pool_busy. Either way none is left behind */
export function makeTags(store: Store, entry: Ref, tags: readonly Tag[]): Ref | undefined {
  let first = 0;
  try {
    for (const tag of tags) {
      const ref = store.room.allocateMetadata(node.bytes * 4 + tag.bytes.length);
      if (ref === 0) {
        freeTags(store, first);
        return undefined;
      }
      writeNode(store, ref, entry, tag, first);
      first = ref;
    }
    return first;
  } catch (error) {
    freeTags(store, first);
    throw error;
  }
}

function writeNode(store: Store, ref: Ref, entry: Ref, tag: Tag, next: Ref): void {
  const segment = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  poke(segment.words, at + node.entry, entry);
  poke(segment.words, at + node.hash, tag.hash);
  poke(segment.words, at + node.ofEntry, next);
  copyInto(segment.bytes, (at + node.bytes) << 2, tag.bytes);
}

/** Marks the nodes as published. */
export function keepTags(store: Store, first: Ref): void {
  for (let ref = first; ref !== 0; ref = nextTagOf(store, ref)) store.allocator.keep(ref);
}

/** Adds the nodes to the lists of their tags. */
export function linkTags(store: Store, first: Ref): void {
  for (let ref = first; ref !== 0; ref = nextTagOf(store, ref)) {
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    const hash = peek(words, at + node.hash);
    const head = store.tags.find(hash, (other) => sameText(store, ref, other));
    poke(words, at + node.next, head);
    poke(words, at + node.previous, 0);
    if (head === 0) {
      store.tags.insert(hash, ref);
      continue;
    }
    poke(segmentOf(store.region, head).words, wordOf(store.region, head) + node.previous, ref);
    store.tags.replace(hash, head, ref);
  }
}

/** Takes an entry's nodes out of their lists and frees them. */
export function dropTags(store: Store, words: Words, at: number): void {
  const first = peek(words, at + field.tagRef);
  if (first === 0) return;
  poke(words, at + field.tagRef, 0);
  for (const ref of tagNodes(store, first)) unlink(store, ref);
  freeTags(store, first);
}

/** First part that carries the tag, or 0. */
export function firstWithTag(store: Store, tag: Tag): Ref {
  const head = store.tags.find(tag.hash, (ref) => hasText(store, ref, tag));
  return head === 0 ? 0 : peek(segmentOf(store.region, head).words, wordOf(store.region, head));
}

/** Texts of an entry's tags, in the order they were given. */
export function tagTexts(store: Store, words: Words, at: number): string[] {
  const texts: string[] = [];
  for (let ref = peek(words, at + field.tagRef); ref !== 0; ref = nextTagOf(store, ref)) {
    const segment = segmentOf(store.region, ref);
    const from = (wordOf(store.region, ref) + node.text) << 2;
    const length = peek(segment.words, wordOf(store.region, ref) + node.bytes);
    texts.push(decodeUtf8(segment.bytes.slice(from, from + length)));
    if (texts.length > tagsMax) break;
  }
  return texts.reverse();
}

/** All nodes of an entry. @throws pool_corrupt for more than a part can have */
export function tagNodes(store: Store, first: Ref): Ref[] {
  const refs: Ref[] = [];
  for (let ref = first; ref !== 0; ref = nextTagOf(store, ref)) {
    if (refs.length === tagsMax) fail('pool_corrupt', `The tags at ${first} have no end.`);
    refs.push(ref);
  }
  return refs;
}

/** Next node of the same entry, or 0. */
export function nextTagOf(store: Store, ref: Ref): Ref {
  return peek(segmentOf(store.region, ref).words, wordOf(store.region, ref) + node.ofEntry);
}

function unlink(store: Store, ref: Ref): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const next = peek(words, at + node.next);
  const previous = peek(words, at + node.previous);
  if (next !== 0) {
    poke(segmentOf(store.region, next).words, wordOf(store.region, next) + node.previous, previous);
  }
  if (previous !== 0) {
    poke(segmentOf(store.region, previous).words, wordOf(store.region, previous) + node.next, next);
  } else if (next !== 0) {
    store.tags.replace(peek(words, at + node.hash), ref, next);
  } else {
    store.tags.remove(peek(words, at + node.hash), ref);
  }
}

function freeTags(store: Store, first: Ref): void {
  let ref = first;
  while (ref !== 0) {
    const next = nextTagOf(store, ref);
    store.allocator.free(ref, metadataKind);
    ref = next;
  }
}

function hasText(store: Store, ref: Ref, tag: Tag): boolean {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref) + node.bytes;
  for (let i = 0; i < tag.words.length; i++) {
    if (peek(words, at + i) !== tag.words[i]) return false;
  }
  return true;
}

function sameText(store: Store, left: Ref, right: Ref): boolean {
  const mine = segmentOf(store.region, left).words;
  const theirs = segmentOf(store.region, right).words;
  const a = wordOf(store.region, left) + node.bytes;
  const b = wordOf(store.region, right) + node.bytes;
  const count = 1 + ((peek(mine, a) + 3) >> 2);
  for (let i = 0; i < count; i++) if (peek(mine, a + i) !== peek(theirs, b + i)) return false;
  return true;
}
