/**
 * The chained key of a block: 128 bits over everything that its content depends on, which is all tokens up to its end, and what else the model
 * was given there.
 *
 * Two lanes of HalfSipHash-2-4 with 64-bit results (Aumasson and Bernstein), each from a secret start of its own (`scope.ts`). They run over
 * the whole sequence; what stands in them at the end of a block is finished on the side and gives its key:
 *
 * ```
 *   start(secret, salt, adapter) ─ extras₀ ─ tokens₀ ─ count of extras₀ ─┬─ extras₁ ─ tokens₁ ─ count of extras₁ ─┬─ …
 *                                                                        └ finish: key of block 0                 └ finish: key of block 1
 * ```
 * The words between two starts can be read back in one way only (from the end: a count, a block of tokens, so many extras), so different prefixes
 * are different messages.
 *
 * **What it promises.** Tokens are not compared: equal keys are taken for equal content. Without the secret nobody can choose two prefixes
 * that collide, nor tell from keys (events show them) what another tenant's are. By accident two of n blocks share a key with probability
 * n² / 2^129: for 10^12 blocks, 1.5 × 10^-15.
 */

/** Words of the state that a sequence carries from block to block: four for each lane. */
export const stateWords = 8;

/**
 * Runs over one whole block and writes its key.
 * @param state `stateWords` words from `at`, advanced
 * @param tokens words [from, from + count) are the block's
 * @param extras words absorbed before it (`absorb`)
 */
export function chainBlock(
  state: Int32Array,
  at: number,
  tokens: Int32Array | Uint32Array,
  from: number,
  count: number,
  extras: number,
  keys: Int32Array,
  keyAt: number,
): void {
  let a0 = state[at] as number;
  let a1 = state[at + 1] as number;
  let a2 = state[at + 2] as number;
  let a3 = state[at + 3] as number;
  let b0 = state[at + 4] as number;
  let b1 = state[at + 5] as number;
  let b2 = state[at + 6] as number;
  let b3 = state[at + 7] as number;
  const end = from + count;
  for (let i = from; i <= end; i++) {
    const word = i < end ? (tokens[i] as number) | 0 : extras;
    a3 ^= word;
    b3 ^= word;
    // Two rounds, written out: a loop around them costs an eighth.
    a0 = (a0 + a1) | 0;
    b0 = (b0 + b1) | 0;
    a1 = ((a1 << 5) | (a1 >>> 27)) ^ a0;
    b1 = ((b1 << 5) | (b1 >>> 27)) ^ b0;
    a0 = (a0 << 16) | (a0 >>> 16);
    b0 = (b0 << 16) | (b0 >>> 16);
    a2 = (a2 + a3) | 0;
    b2 = (b2 + b3) | 0;
    a3 = ((a3 << 8) | (a3 >>> 24)) ^ a2;
    b3 = ((b3 << 8) | (b3 >>> 24)) ^ b2;
    a0 = (a0 + a3) | 0;
    b0 = (b0 + b3) | 0;
    a3 = ((a3 << 7) | (a3 >>> 25)) ^ a0;
    b3 = ((b3 << 7) | (b3 >>> 25)) ^ b0;
    a2 = (a2 + a1) | 0;
    b2 = (b2 + b1) | 0;
    a1 = ((a1 << 13) | (a1 >>> 19)) ^ a2;
    b1 = ((b1 << 13) | (b1 >>> 19)) ^ b2;
    a2 = (a2 << 16) | (a2 >>> 16);
    b2 = (b2 << 16) | (b2 >>> 16);
    a0 = (a0 + a1) | 0;
    b0 = (b0 + b1) | 0;
    a1 = ((a1 << 5) | (a1 >>> 27)) ^ a0;
    b1 = ((b1 << 5) | (b1 >>> 27)) ^ b0;
    a0 = (a0 << 16) | (a0 >>> 16);
    b0 = (b0 << 16) | (b0 >>> 16);
    a2 = (a2 + a3) | 0;
    b2 = (b2 + b3) | 0;
    a3 = ((a3 << 8) | (a3 >>> 24)) ^ a2;
    b3 = ((b3 << 8) | (b3 >>> 24)) ^ b2;
    a0 = (a0 + a3) | 0;
    b0 = (b0 + b3) | 0;
    a3 = ((a3 << 7) | (a3 >>> 25)) ^ a0;
    b3 = ((b3 << 7) | (b3 >>> 25)) ^ b0;
    a2 = (a2 + a1) | 0;
    b2 = (b2 + b1) | 0;
    a1 = ((a1 << 13) | (a1 >>> 19)) ^ a2;
    b1 = ((b1 << 13) | (b1 >>> 19)) ^ b2;
    a2 = (a2 << 16) | (a2 >>> 16);
    b2 = (b2 << 16) | (b2 >>> 16);
    a0 ^= word;
    b0 ^= word;
  }
  state[at] = a0;
  state[at + 1] = a1;
  state[at + 2] = a2;
  state[at + 3] = a3;
  state[at + 4] = b0;
  state[at + 5] = b1;
  state[at + 6] = b2;
  state[at + 7] = b3;
  finishLane(a0, a1, a2, a3, keys, keyAt);
  finishLane(b0, b1, b2, b3, keys, keyAt + 2);
}

const single = new Int32Array(1);

/** Takes one word into both lanes: a token of a block that fills up slowly, or something else that the block depends on. */
export function absorb(state: Int32Array, at: number, word: number): void {
  single[0] = word;
  absorbLane(state, at);
  absorbLane(state, at + 4);
}

/** Ends a block whose tokens were absorbed one by one. */
export function finishBlock(
  state: Int32Array,
  at: number,
  extras: number,
  keys: Int32Array,
  keyAt: number,
): void {
  chainBlock(state, at, single, 0, 0, extras, keys, keyAt);
}

function absorbLane(state: Int32Array, at: number): void {
  const word = single[0] as number;
  let v0 = state[at] as number;
  let v1 = state[at + 1] as number;
  let v2 = state[at + 2] as number;
  let v3 = (state[at + 3] as number) ^ word;
  for (let round = 0; round < 2; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  state[at] = v0 ^ word;
  state[at + 1] = v1;
  state[at + 2] = v2;
  state[at + 3] = v3;
}

function finishLane(
  a: number,
  b: number,
  c: number,
  d: number,
  keys: Int32Array,
  keyAt: number,
): void {
  let v0 = a;
  let v1 = b;
  let v2 = c ^ 0xee;
  let v3 = d;
  for (let round = 0; round < 8; round++) {
    if (round === 4) {
      keys[keyAt] = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  keys[keyAt + 1] = v1 ^ v3;
}
