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

function access(): void {
  if (++accesses >= crashAt) throw new Crash(`access ${accesses}`);
  if (accesses === interruptAt) {
    const before = accesses;
    interruption();
    accesses = before;
  }
}

/** An access that may change memory. */
function writing(): void {
  access();
  if (afterWrites) interruptAt = accesses + 1;
}

export function peek(words: Words, index: number): number {
  access();
  return words[index] as number;
}

export function poke(words: Words, index: number, value: number): void {
  writing();
  words[index] = value;
}

export function load(words: Words, index: number): number {
  access();
  return Atomics.load(words, index);
}

export { load as loadInOrder };

export function store(words: Words, index: number, value: number): void {
  writing();
  Atomics.store(words, index, value);
}

export function or(words: Words, index: number, bits: number): number {
  writing();
  return Atomics.or(words, index, bits);
}

export function and(words: Words, index: number, bits: number): number {
  writing();
  return Atomics.and(words, index, bits);
}

export function add(words: Words, index: number, value: number): number {
  writing();
  return Atomics.add(words, index, value);
}

export function compareExchange(
  words: Words,
  index: number,
  expected: number,
  value: number,
): number {
  writing();
  return Atomics.compareExchange(words, index, expected, value);
}

export function setBits(words: Words, index: number, bits: number): void {
  writing();
  words[index] = (words[index] as number) | bits;
}

export function increment(words: Words, index: number): number {
  writing();
  const sum = ((words[index] as number) + 1) | 0;
  words[index] = sum;
  return sum;
}

export function copyInto(target: Uint8Array, targetOffset: number, source: Uint8Array): void {
  writing();
  target.set(source, targetOffset);
}

export function moveWithin(
  target: Uint8Array,
  targetOffset: number,
  from: number,
  to: number,
): void {
  writing();
  target.copyWithin(targetOffset, from, to);
}

export function zero(target: Uint8Array, from: number, to: number): void {
  writing();
  target.fill(0, from, to);
}
