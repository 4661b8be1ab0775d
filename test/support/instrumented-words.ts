/**
 * Stands in for src/memory/words.ts and dies at the k-th memory access, as a process would under
 * kill -9: everything before that access is in memory, nothing after it.
 *
 * ```ts
 * vi.mock('../../src/memory/words.ts', () => import('../support/instrumented-words.ts'));
 * armCrash(k);
 * try { … } catch (error) { if (!(error instanceof Crash)) throw error; }
 * disarm();
 * ```
 */

import { zeroBytes } from '../../src/memory/zeroes.ts';
import { Footprint } from './footprint.ts';

export type Words = Int32Array;

/** What an access throws when its turn has come. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

let accesses = 0;
let crashAt = Infinity;
let interruptAt = Infinity;
let interruption = (): void => undefined;
let afterWrites = false;
/** What the interruption reads and writes; afterwards, until something is met that it does not commute with. */
let footprint: Footprint | undefined;
let isRecording = false;
let firstMet = 0;

/**
 * The k-th access from now on (1 is the next one), and every one after it, throws Crash instead of
 * happening.
 */
export function armCrash(k: number): void {
  accesses = 0;
  crashAt = k;
}

/**
 * Right before the k-th access from now on, `other` runs as a whole: what another thread may do between two accesses of this one. Its own
 * accesses are not counted.
 */
export function interrupt(k: number, other: () => void): void {
  accesses = 0;
  interruptAt = k;
  afterWrites = false;
  interruption = other;
}

/**
 * As `interrupt`. Afterwards `sameUntil` tells the last access before which `other` would have come to the same: what is in between neither
 * reads what it wrote, nor writes what it read or wrote.
 */
export function interruptApart(k: number, other: () => void): void {
  firstMet = Infinity;
  interrupt(k, () => {
    footprint = new Footprint();
    isRecording = true;
    try {
      other();
    } finally {
      isRecording = false;
    }
  });
}

/** See `interruptApart`; Infinity where it is all of them. */
export function sameUntil(): number {
  return firstMet;
}

/** Stands for all that is not in words. */
const outside = new Int32Array(1);

/** Is called where a test's own means change memory, or look at or change what a kernel knows: it may be a change. No access, and nothing dies at it. */
export function meetOutside(): void {
  note(outside, 0, 1, true);
  if (afterWrites) interruptAt = accesses + 1;
}

/** Right before each access that follows one which writes, `look` runs, and is told which access it is. Its own ones are not counted. */
export function watchWrites(look: (access: number) => void): void {
  interrupt(Infinity, () => look(accesses));
  afterWrites = true;
}

/** Lets accesses happen again, undisturbed. */
export function disarm(): void {
  crashAt = Infinity;
  interruptAt = Infinity;
  afterWrites = false;
  footprint = undefined;
}

/** Accesses since the last `armCrash` or `interrupt`. */
export function accessCount(): number {
  return accesses;
}

/** Accesses of `work`, undisturbed. */
export function accessesOf(work: () => unknown): number {
  armCrash(Infinity);
  work();
  return accesses;
}

function note(view: Words | Uint8Array, from: number, to: number, isWritten: boolean): void {
  if (footprint === undefined) return;
  if (isRecording) footprint.add(view, from, to, isWritten);
  else if (footprint.meets(view, from, to, isWritten)) {
    firstMet = accesses;
    footprint = undefined;
  }
}

function access(view: Words | Uint8Array, from: number, to: number, isWritten: boolean): void {
  if (++accesses >= crashAt) throw new Crash(`access ${accesses}`);
  if (accesses === interruptAt) {
    const before = accesses;
    interruption();
    accesses = before;
  }
  if (footprint !== undefined) note(view, from, to, isWritten);
}

function reading(words: Words, index: number): void {
  access(words, index, index + 1, false);
}

/** An access that may change memory. */
function writing(view: Words | Uint8Array, from: number, to: number): void {
  access(view, from, to, true);
  if (afterWrites) interruptAt = accesses + 1;
}

export function peek(words: Words, index: number): number {
  reading(words, index);
  return words[index] as number;
}

export function poke(words: Words, index: number, value: number): void {
  writing(words, index, index + 1);
  words[index] = value;
}

export function load(words: Words, index: number): number {
  reading(words, index);
  return Atomics.load(words, index);
}

export { load as loadInOrder };

/** What WebAssembly does is not counted: nothing is done by it. */
export function newWasmMemory(): undefined {}
export { newWasmMemory as letGoOfOrAt, newWasmMemory as orAtOf };

export function store(words: Words, index: number, value: number): void {
  writing(words, index, index + 1);
  Atomics.store(words, index, value);
}

export function or(words: Words, index: number, bits: number): number {
  writing(words, index, index + 1);
  return Atomics.or(words, index, bits);
}

export function and(words: Words, index: number, bits: number): number {
  writing(words, index, index + 1);
  return Atomics.and(words, index, bits);
}

export function add(words: Words, index: number, value: number): number {
  writing(words, index, index + 1);
  return Atomics.add(words, index, value);
}

export function compareExchange(
  words: Words,
  index: number,
  expected: number,
  value: number,
): number {
  writing(words, index, index + 1);
  return Atomics.compareExchange(words, index, expected, value);
}

export function setBits(words: Words, index: number, bits: number): void {
  writing(words, index, index + 1);
  words[index] = (words[index] as number) | bits;
}

export function increment(words: Words, index: number): number {
  writing(words, index, index + 1);
  const sum = ((words[index] as number) + 1) | 0;
  words[index] = sum;
  return sum;
}

export function copyInto(target: Uint8Array, targetOffset: number, source: Uint8Array): void {
  writing(target, targetOffset, targetOffset + source.length);
  note(source, 0, source.length, false);
  target.set(source, targetOffset);
}

export function moveWithin(
  target: Uint8Array,
  targetOffset: number,
  from: number,
  to: number,
): void {
  writing(target, targetOffset, targetOffset + to - from);
  note(target, from, to, false);
  target.copyWithin(targetOffset, from, to);
}

export function zero(target: Uint8Array, from: number, to: number): void {
  writing(target, from, to);
  zeroBytes(target, from, to);
}
