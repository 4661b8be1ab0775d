/** How new bytes become those of an entry that stays: the idle slot is written, then the selector. */

import { control } from '../memory/layout.ts';
import type { Ref } from '../memory/region.ts';
import { peek, poke, store as storeWord, type Words } from '../memory/words.ts';
import { bump, counter, readCell, writeCell } from './counters.ts';
import { commitSlot, field, idle, nextSelector, versionOf } from './entry.ts';
import { countPart } from './remove.ts';
import type { Store } from './store.ts';

/** Commits bytes, length, checksum and version in one word: `selector`, which is that of the idle slot. */
export function commitBytes(
  words: Words,
  at: number,
  payload: Ref,
  sizeBytes: number,
  crc32: number,
  selector: number = nextSelector(peek(words, at + field.selector)),
): void {
  const slot = idle(words, at);
  poke(words, slot + commitSlot.ref, payload);
  poke(words, slot + commitSlot.length, sizeBytes);
  poke(words, slot + commitSlot.crc32, crc32);
  storeWord(words, at + field.selector, selector);
}

/** Counts what was committed. @returns the version */
export function noteChange(
  store: Store,
  words: Words,
  at: number,
  growthBytes: number,
  writtenBytes: number,
): number {
  const version = versionOf(words, at);
  const cell = store.controlAt + control.versionLow;
  if (version > readCell(store.control, cell)) writeCell(store.control, cell, version);
  countPart(store, 0, growthBytes, 0);
  bump(store.control, store.countersAt + counter.bytesWritten, writtenBytes);
  store.touch(words, at);
  return version;
}
