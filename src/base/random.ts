import { randomInt } from 'node:crypto';

/** xorshift32 (Marsaglia): small, seeded, good enough for sampling; not for secrets. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 0x9e3779b9 | 0;
  }

  /** Uniform in [0, 2^31). */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x & 0x7fffffff;
  }

  /** Uniform in [0, bound), `bound` ≥ 1. Signed operands keep V8 in integers. */
  below(bound: number): number {
    return this.next() % bound;
  }
}

/** A seed that nobody can foresee, for where none is given. */
export function freshSeed(): number {
  return randomInt(2 ** 31);
}
