/** xorshift32: the generator of every workload, so that all subjects get the same stream. */
export class Xorshift {
  #state: number;

  constructor(seed = 12345) {
    this.#state = seed | 0 || 1;
  }

  /** Signed 32-bit word. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x;
  }

  /** 0…bound − 1. */
  below(bound: number): number {
    return (this.next() & 0x7fffffff) % bound;
  }

  /** 0 (included) … 1 (excluded). */
  unit(): number {
    return (this.next() & 0x7fffffff) / 0x80000000;
  }
}

/** `length` indices below `bound`, uniform. */
export function randomOrder(length: number, bound: number, seed: number): Int32Array {
  const random = new Xorshift(seed);
  const order = new Int32Array(length);
  for (let i = 0; i < length; i += 1) order[i] = random.below(bound);
  return order;
}
