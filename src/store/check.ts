/** Every invariant of the store, verified against the entries and the allocator. */

import type { Marks } from '../alloc/api.ts';
import { crc32 } from '../base/checksum.ts';
import { CenoteError } from '../errors.ts';
import { control } from '../memory/layout.ts';
import type { Ref } from '../memory/region.ts';
import { peek } from '../memory/words.ts';
import { headOf, nextOf } from './context-chain.ts';
import { isLive } from './contexts.ts';
import { readCell } from './counters.ts';
import {
  commitSlot,
  committed,
  field,
  parked,
  segmentOf,
  state,
  stateMask,
  trait,
  wordOf,
} from './entry.ts';
import { othersHaveOpened } from './opened.ts';
import { isSound, reachable } from './recover.ts';
import { namesOf } from './remove.ts';
import { bytesOfEntry } from './payload.ts';
import type { Store } from './store.ts';
import { firstWithTag, encodeTag, tagTexts } from './tags.ts';

/** Most violations reported; more say nothing new. */
const violationsMax = 1000;

export interface StoreCheck {
  readonly errors: readonly string[];
  readonly contexts: number;
  readonly parts: number;
  readonly partBytes: number;
  readonly checksumsVerified: number;
}

/** Verifies structure, references and checksums, however damaged they are. Changes nothing. */
export function checkStore(store: Store): StoreCheck {
  const errors: string[] = [...store.allocator.check()];
  const report = (message: string): void => {
    if (errors.length < violationsMax) errors.push(message);
  };
  const totals = {
    contexts: 0,
    parts: 0,
    partBytes: 0,
    pinned: 0,
    retired: 0,
    parked: 0,
    checksums: 0,
  };
  const chained = store.allocator.newMarks();
  for (const head of store.contexts.refs()) {
    totals.contexts++;
    reporting(report, () => checkContext(store, head, chained, report));
  }
  for (let ordinal = 0; ordinal < store.entries.count; ordinal++) {
    const ref = store.entries.at(ordinal);
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    if (peek(words, at + field.ordinal) !== ordinal) report(`entry ${ordinal} has another ordinal`);
    const held = peek(words, at + field.state) & stateMask;
    if (held === state.retired) totals.retired++;
    if (held !== state.free && parked(words, at) !== 0) totals.parked++;
    if (!isLive(words, at)) continue;
    reporting(report, () => checkPart(store, ref, chained, totals, report));
  }
  reporting(report, () => checkIndexes(store, totals, report));
  checkCounts(store, totals, report);
  reporting(report, () => checkReachable(store, report));
  const { contexts, parts, partBytes, checksums } = totals;
  return { errors, contexts, parts, partBytes, checksumsVerified: checksums };
}

/** Looks at a pool that others allocate in: what is wrong in each of them is wrong. */
const livingLooks = 3;

/** The same by who holds the pen: others change nothing of the store meanwhile, but they allocate and free. */
export function checkLiving(store: Store): StoreCheck {
  let check = checkStore(store);
  let { errors } = check;
  const isShared = othersHaveOpened(store.region);
  for (let look = 1; isShared && errors.length > 0 && look < livingLooks; look++) {
    check = checkStore(store);
    const seen = new Set(check.errors);
    errors = errors.filter((error) => seen.has(error));
  }
  return { ...check, errors };
}

interface Totals {
  contexts: number;
  parts: number;
  partBytes: number;
  pinned: number;
  retired: number;
  parked: number;
  checksums: number;
}

type Report = (message: string) => void;

/** What damage stops is reported too. */
function reporting(report: Report, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof CenoteError)) throw error;
    report(error.message);
  }
}

/** Follows the list of a context and marks what is in it. */
function checkContext(store: Store, head: Ref, chained: Marks, report: Report): void {
  let previous = 0;
  for (let ref = head; ref !== 0; ref = nextOf(store, ref)) {
    const { words } = segmentOf(store.region, ref);
    const at = wordOf(store.region, ref);
    if (!store.entries.isEntry(ref) || !isLive(words, at) || !isSound(store, words, at)) {
      return report(`a context leads to ${ref}, which is no live entry`);
    }
    // Sound: its key is in store.key.
    if (headOf(store, store.key.contextTag()) !== head)
      report(`entry ${ref} is in another's context`);
    if (peek(words, at + field.previous) !== previous)
      report(`entry ${ref} has a wrong predecessor`);
    if (!chained.add(ref)) return report(`entry ${ref} is in two contexts, or in a circle`);
    previous = ref;
  }
}

function checkPart(store: Store, ref: Ref, chained: Marks, totals: Totals, report: Report): void {
  const { words } = segmentOf(store.region, ref);
  const at = wordOf(store.region, ref);
  if (!isSound(store, words, at)) {
    report(`entry ${peek(words, at + field.ordinal)} is live and impossible`);
    return;
  }
  const { id, part } = namesOf(store, ref);
  const name = `part ${JSON.stringify(part)} of ${JSON.stringify(id)}`;
  totals.parts++;
  totals.partBytes += peek(words, committed(words, at) + commitSlot.length);
  const traits = peek(words, at + field.traits);
  if ((traits & trait.pinned) !== 0) totals.pinned++;
  if (store.find() !== ref) report(`${name} is not found in the index`);
  const contextTag = store.key.contextTag();
  if (peek(words, at + field.contextTag) !== contextTag)
    report(`${name} has another context's tag`);
  if (!chained.has(ref)) report(`${name} is not among the parts of its context`);
  for (const text of tagTexts(store, words, at)) {
    if (firstWithTag(store, encodeTag(store, text)) === 0)
      report(`${name} is not found by its tag`);
  }
  if ((traits & trait.checksummed) === 0) return;
  totals.checksums++;
  const crc = peek(words, committed(words, at) + commitSlot.crc32);
  if (crc32(bytesOfEntry(store.region, words, at)) !== crc)
    report(`${name} does not match its checksum`);
}

function checkIndexes(store: Store, totals: Totals, report: Report): void {
  const { parts, contexts, tags } = store;
  for (const [name, index] of Object.entries({ parts, contexts, tags })) {
    const refs = [...index.refs()];
    if (refs.length !== index.live)
      report(`the ${name} index counts ${index.live}, holds ${refs.length}`);
    if (new Set(refs).size !== refs.length) report(`the ${name} index holds a reference twice`);
  }
  for (const ref of parts.refs()) {
    const { words } = segmentOf(store.region, ref);
    if (!store.entries.isEntry(ref) || !isLive(words, wordOf(store.region, ref))) {
      report(`the parts index leads to ${ref}, which is no live entry`);
    }
  }
  if (parts.live !== totals.parts)
    report(`the index has ${parts.live} parts, there are ${totals.parts}`);
}

function checkCounts(store: Store, totals: Totals, report: Report): void {
  const pairs = [
    ['contexts', totals.contexts],
    ['parts', totals.parts],
    ['pinnedParts', totals.pinned],
    ['retiredParts', totals.retired],
    ['parkedParts', totals.parked],
  ] as const;
  for (const [name, found] of pairs) {
    const counted = peek(store.control, store.controlAt + control[name]);
    if (counted !== found) report(`${name} is counted as ${counted}, there are ${found}`);
  }
  const bytes = readCell(store.control, store.controlAt + control.partBytesLow);
  if (bytes !== totals.partBytes)
    report(`part bytes are counted as ${bytes}, there are ${totals.partBytes}`);
}

/** Published memory and reachable memory are the same. A page table that is damaged has been reported; one that moves must not end the walk. */
function checkReachable(store: Store, report: Report): void {
  const marks = reachable(store);
  store.allocator.walk(
    (block) => {
      if (!block.live) return;
      const held = marks.has(block.ref);
      if (block.kept && !held) report(`block ${block.ref} of ${block.sizeBytes} bytes leaked`);
      if (!block.kept && held) report(`block ${block.ref} is in use and not marked as kept`);
    },
    () => undefined,
  );
}
