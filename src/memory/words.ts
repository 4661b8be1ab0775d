/**
 * The one module through which every word and byte of pool memory is accessed.
 *
 * In production these are one-line functions that V8 inlines. Tests replace this module by one that counts: it throws
 * at the k-th access (a crash between any two memory accesses) or runs another actor's operation there.
 *
 * `load`, `store`, `or`, `and`, `compareExchange` are sequentially consistent: use them for every word that
 * two actors use for a decision. `peek` and `poke` are plain: use them for words that only this thread writes, for what a
 * later `store` publishes, and for looks that are verified after an atomic operation. The difference matters: V8 calls a builtin for each atomic
 * operation (a load 4 ns, a store or `or` 8 ns on Node 20), a plain access is an instruction of 0.3 ns. All are constants: of a declared function
 * V8 looks at each call whether it is still the same.
 */

import { zeroBytes } from './zeroes.ts';

export { letGoOfOrAt, newWasmMemory, orAtOf } from './wasm-words.ts';
export type { OrAt } from './wasm-words.ts';

/** A word view of one segment: 32-bit signed, little endian. */
export type Words = Int32Array;

export const peek = (words: Words, index: number): number => {
  return words[index] as number;
};

export const poke = (words: Words, index: number, value: number): void => {
  words[index] = value;
};

export const load = (words: Words, index: number): number => {
  return Atomics.load(words, index);
};

export const store = (words: Words, index: number, value: number): void => {
  Atomics.store(words, index, value);
};

/**
 * For loads that must not pass an atomic operation or a load before them. On x64 none does, and V8 keeps those of typed arrays in order; an atomic one is a
 * call of 4 ns.
 */
export const loadInOrder: typeof load = process.arch === 'x64' ? peek : load;

/** Sets bits; returns the old word. */
export const or = (words: Words, index: number, bits: number): number => {
  return Atomics.or(words, index, bits);
};

/** Keeps only bits in `bits`; returns the old word. */
export const and = (words: Words, index: number, bits: number): number => {
  return Atomics.and(words, index, bits);
};

/** Adds; returns the old word. */
export const add = (words: Words, index: number, value: number): number => {
  return Atomics.add(words, index, value);
};

/** Replaces `expected` by `value`; returns the old word (equal to `expected` when it succeeded). */
export const compareExchange = (
  words: Words,
  index: number,
  expected: number,
  value: number,
): number => {
  return Atomics.compareExchange(words, index, expected, value);
};

/** Plain: sets bits of a word that only its owner writes. */
export const setBits = (words: Words, index: number, bits: number): void => {
  words[index] = (words[index] as number) | bits;
};

/** Plain: adds one to a word that only its owner writes; returns the new word, 0 when it wrapped. */
export const increment = (words: Words, index: number): number => {
  const sum = ((words[index] as number) + 1) | 0;
  words[index] = sum;
  return sum;
};

/** Copies bytes into pool memory: one access. */
export function copyInto(target: Uint8Array, targetOffset: number, source: Uint8Array): void {
  target.set(source, targetOffset);
}

/** Copies bytes within one segment; ranges may overlap: one access. */
export function moveWithin(
  target: Uint8Array,
  targetOffset: number,
  from: number,
  to: number,
): void {
  target.copyWithin(targetOffset, from, to);
}

/** Zeroes bytes [from, to): one access. */
export function zero(target: Uint8Array, from: number, to: number): void {
  zeroBytes(target, from, to);
}
