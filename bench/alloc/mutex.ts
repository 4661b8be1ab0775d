/** A lock in a shared word: 0 free, 1 held, 2 held and waited for. */

export function lock(words: Int32Array, at: number): void {
  if (Atomics.compareExchange(words, at, 0, 1) === 0) return;
  while (Atomics.exchange(words, at, 2) !== 0) Atomics.wait(words, at, 2);
}

export function unlock(words: Int32Array, at: number): void {
  if (Atomics.exchange(words, at, 0) === 2) Atomics.notify(words, at, 1);
}
