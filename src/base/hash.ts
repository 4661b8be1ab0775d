/**
 * HalfSipHash-1-3 over 32-bit words with a 64-bit secret key (Aumasson and Bernstein; the variant that Linux uses for hash
 * tables). Keyed, so that ids cannot be chosen to collide. The second word comes from the same finalisation, not from three rounds more:
 * it only confirms a match before keys are compared, and the rounds are a fifth of a get.
 */

/** Results of the last `hashWords`: signed 32-bit words. One hash at a time per thread; read them before the next call. */
export let hashLow = 0;
export let hashHigh = 0;

/** Hashes words [from, to) of `words`. The length is part of the hash. */
export function hashWords(
  words: Int32Array,
  from: number,
  to: number,
  seedLow: number,
  seedHigh: number,
): void {
  let v0 = seedLow;
  let v1 = seedHigh ^ 0xee;
  let v2 = 0x6c796765 ^ seedLow;
  let v3 = 0x74656462 ^ seedHigh;
  for (let i = from; i <= to; i++) {
    const m = i < to ? (words[i] as number) : (to - from) << 24;
    v3 ^= m;
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
    v0 ^= m;
  }
  v2 ^= 0xee;
  for (let round = 0; round < 3; round++) {
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
  hashLow = v1 ^ v3;
  hashHigh = v0 ^ v2;
}
