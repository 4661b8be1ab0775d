/** A seeded stream of numbers: xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) | 1;
  }

  /** 0…bound − 1 */
  below(bound: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state & 0x7fffffff) % bound;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** A size as pools see them: mostly small, some large, rarely huge. */
  sizeBytes(mostBytes: number): number {
    const share = this.below(100);
    const limit = share < 70 ? 512 : share < 88 ? 4096 : share < 97 ? 40_000 : mostBytes;
    return 1 + this.below(Math.min(limit, mostBytes));
  }
}
