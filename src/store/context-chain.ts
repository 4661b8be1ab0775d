/**
 * The parts of a context: a doubly linked list through their entries, its head in the contexts index under the hash of the id.
 */

import { fail } from '../errors.ts';
import { control } from '../memory/layout.ts';
import type { Ref } from '../memory/region.ts';
import { load, peek, poke } from '../memory/words.ts';
import { field, segmentOf, state, stateMask, wordOf } from './entry.ts';
import { readAttempts } from './follower.ts';
import type { Store } from './store.ts';

/** First part of the context that `store.key` names, or 0. `contextTag` is the hash of its id. */
export function headOf(store: Store, contextTag: number): Ref {
  return store.contexts.find(contextTag, store.isOfContext);
}

/** Next part of the same context, or 0. */
export function nextOf(store: Store, ref: Ref): Ref {
  return peek(segmentOf(store.region, ref).words, wordOf(store.region, ref) + field.next);
}

/** Entries, and the state words that they had. */
export interface Chain {
  readonly refs: readonly Ref[];
  readonly lives: readonly number[];
}

/** All live parts of the context that `store.key` names. @throws pool_busy when it never stands still */
export function chainOf(store: Store): Chain {
  return ofChain(store, (chain) => chain);
}

/**
 * What `look` makes of the live parts of the context that `store.key` names; `undefined`: it must look again. Where others may change it, it
 * is walked before and after, until it meets the same lives of the same entries with the same bytes: what is walked through may be taken
 * out, or become part of another context, meanwhile. `look` must leave `store.key` alone.
 * @throws pool_busy when it never does
 */
export function ofChain<T>(store: Store, look: (chain: Chain) => T | undefined): T {
  const contextTag = store.key.contextTag();
  const { isStill } = store;
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    const first = walk(store, contextTag);
    // At rest a damaged context is taken as far as it goes: it must be possible to delete it.
    const seen = first.isSound || isStill ? look(first) : undefined;
    if (seen !== undefined) {
      if (isStill) return seen;
      const second = walk(store, contextTag);
      if (second.isSound && isSame(first.met, second.met)) return seen;
    }
    store.follower.catchUp();
  }
  return fail('pool_busy', `A context changed at each of ${readAttempts} looks.`);
}

interface Walk extends Chain {
  /** Each entry that was met, its state word and its selector: one that is being taken out is still on the way. */
  readonly met: number[];
  /** False when it led to something that is no part of the context. */
  readonly isSound: boolean;
}

function walk(store: Store, contextTag: number): Walk {
  const refs: Ref[] = [];
  const lives: number[] = [];
  const met: number[] = [];
  const limit = 3 * store.entries.count;
  let ref = headOf(store, contextTag);
  for (; ref !== 0 && met.length <= limit; ref = nextOf(store, ref)) {
    if (!store.entries.isEntry(ref)) return { refs, lives, met, isSound: false };
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    const life = load(words, at + field.state);
    const held = life & stateMask;
    if ((held !== state.live && held !== state.retired) || !store.isOfContext(ref)) {
      return { refs, lives, met, isSound: false };
    }
    met.push(ref, life, load(words, at + field.selector));
    if (held !== state.live) continue;
    refs.push(ref);
    lives.push(life);
  }
  return { refs, lives, met, isSound: ref === 0 };
}

function isSame(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((value, i) => value === right[i]);
}

/** Makes an entry the first part of its context. */
export function linkContext(store: Store, ref: Ref, contextTag: number): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  poke(words, at + field.contextTag, contextTag);
  const head = headOf(store, contextTag);
  poke(words, at + field.next, head);
  poke(words, at + field.previous, 0);
  if (head === 0) {
    store.contexts.insert(contextTag, ref);
    countContexts(store, 1);
    return;
  }
  poke(segmentOf(store.region, head).words, wordOf(store.region, head) + field.previous, ref);
  store.contexts.replace(contextTag, head, ref);
}

/** Puts an entry where its predecessor was. */
export function relinkContext(store: Store, old: Ref, ref: Ref): void {
  const from = segmentOf(store.region, old).words;
  const oldAt = wordOf(store.region, old);
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const next = peek(from, oldAt + field.next);
  const previous = peek(from, oldAt + field.previous);
  const contextTag = peek(from, oldAt + field.contextTag);
  poke(words, at + field.next, next);
  poke(words, at + field.previous, previous);
  poke(words, at + field.contextTag, contextTag);
  if (next !== 0) {
    poke(segmentOf(store.region, next).words, wordOf(store.region, next) + field.previous, ref);
  }
  if (previous === 0) store.contexts.replace(contextTag, old, ref);
  else
    poke(segmentOf(store.region, previous).words, wordOf(store.region, previous) + field.next, ref);
}

export function unlinkContext(store: Store, ref: Ref): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  const next = peek(words, at + field.next);
  const previous = peek(words, at + field.previous);
  if (next !== 0) {
    poke(
      segmentOf(store.region, next).words,
      wordOf(store.region, next) + field.previous,
      previous,
    );
  }
  if (previous !== 0) {
    poke(
      segmentOf(store.region, previous).words,
      wordOf(store.region, previous) + field.next,
      next,
    );
    return;
  }
  const contextTag = peek(words, at + field.contextTag);
  if (next !== 0) {
    store.contexts.replace(contextTag, ref, next);
    return;
  }
  store.contexts.remove(contextTag, ref);
  countContexts(store, -1);
}

function countContexts(store: Store, by: number): void {
  const at = store.controlAt + control.contexts;
  poke(store.control, at, peek(store.control, at) + by);
}

/** True for the entry whose id is that of `store.key`. Made once per store: for RefIndex.find. */
export function contextMatcher(store: Store): (ref: Ref) => boolean {
  return (ref) => {
    const segment = store.segmentAt(ref);
    if (segment === undefined) return false;
    const at = wordOf(store.region, ref);
    const keyRef = peek(segment.words, at + field.keyRef);
    if (keyRef === 0) return store.key.sameContext(segment.words, at + field.key);
    const keySegment = store.segmentAt(keyRef);
    if (keySegment === undefined) return false;
    return store.key.sameContext(keySegment.words, wordOf(store.region, keyRef));
  };
}
