/** The chained key against a plain reading of its definition, and what it must tell apart. */

import { describe, expect, test } from 'vitest';
import { absorb, chainBlock, finishBlock, stateWords } from '../../src/kv/chain.ts';
import { digestWords, scopeOf } from '../../src/kv/scope.ts';
import { range } from './tokens.ts';

const secret = new Uint8Array(32).fill(7);
const mask = 0xffffffffn;

const rotl = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (32n - by))) & mask;

type Lane = [bigint, bigint, bigint, bigint];

/** One round of HalfSipHash, as its paper writes it. */
function sipRound([a, b, c, d]: Lane): Lane {
  let [v0, v1, v2, v3] = [(a + b) & mask, rotl(b, 5n), (c + d) & mask, rotl(d, 8n)];
  [v1, v3] = [v1 ^ v0, v3 ^ v2];
  v0 = rotl(v0, 16n);
  [v0, v2] = [(v0 + v3) & mask, (v2 + v1) & mask];
  [v3, v1] = [rotl(v3, 7n) ^ v0, rotl(v1, 13n) ^ v2];
  return [v0, v1, rotl(v2, 16n), v3];
}

function absorbed(lane: Lane, word: number): Lane {
  const m = BigInt(word >>> 0);
  const [a, b, c, d] = sipRound(sipRound([lane[0], lane[1], lane[2], lane[3] ^ m]));
  return [a ^ m, b, c, d];
}

function finished(lane: Lane): [number, number] {
  let state: Lane = [lane[0], lane[1], lane[2] ^ 0xeen, lane[3]];
  for (let i = 0; i < 4; i++) state = sipRound(state);
  const low = state[1] ^ state[3];
  state = [state[0], state[1] ^ 0xddn, state[2], state[3]];
  for (let i = 0; i < 4; i++) state = sipRound(state);
  return [Number(low) | 0, Number(state[1] ^ state[3]) | 0];
}

function naiveKey(start: Int32Array, blocks: readonly (readonly [Int32Array, number])[]): number[] {
  return [0, 4].flatMap((at) => {
    let lane = [...start.subarray(at, at + 4)].map((word) => BigInt(word >>> 0)) as Lane;
    for (const [tokens, extras] of blocks) {
      for (const token of tokens) lane = absorbed(lane, token);
      lane = absorbed(lane, extras);
    }
    return finished(lane);
  });
}

const { start } = scopeOf(secret, { salt: 'acme' });

function keysOf(tokens: Int32Array | Uint32Array, blockTokens: number): Int32Array {
  const state = Int32Array.from(start);
  const count = Math.floor(tokens.length / blockTokens);
  const keys = new Int32Array(4 * count);
  for (let i = 0; i < count; i++) {
    chainBlock(state, 0, tokens, i * blockTokens, blockTokens, 0, keys, 4 * i);
  }
  return keys;
}

test('two lanes of HalfSipHash-2-4 over all words so far', () => {
  const tokens = Int32Array.from(range(0, 12), (i) => Math.imul(i + 1, 0x9e3779b9));
  const keys = keysOf(tokens, 4);
  const blocks = [0, 4, 8].map((at) => [tokens.subarray(at, at + 4), 0] as const);
  for (let i = 0; i < 3; i++) {
    expect([...keys.subarray(4 * i, 4 * i + 4)]).toEqual(naiveKey(start, blocks.slice(0, i + 1)));
  }
});

test('a lane is the published HalfSipHash-2-4 with 64 bits: vectors of its authors', () => {
  // Key 00 01 … 07, messages of 0, 4, 8 and 12 bytes 00 01 …; the last word of a message holds its length.
  const lane = [0x03020100, 0x07060504 ^ 0xee, 0x6c796765 ^ 0x03020100, 0x74656462 ^ 0x07060504];
  const message = Int32Array.of(0x03020100, 0x07060504, 0x0b0a0908);
  const published = [
    '218d1f59b9b83cc8',
    'd5e78a175be52ea1',
    'edfee820bce4858c',
    '7bc71f9faef5c799',
  ];
  published.forEach((hash, count) => {
    const state = Int32Array.from([...lane, ...lane]);
    const keys = new Int32Array(4);
    chainBlock(state, 0, message, 0, count, count << 26, keys, 0);
    expect(Buffer.from(keys.buffer).toString('hex')).toBe(hash + hash);
  });
});

test('token by token gives the same key as a block at once', () => {
  const tokens = range(5, 21);
  const state = Int32Array.from(start);
  for (const token of tokens) absorb(state, 0, token);
  const key = new Int32Array(4);
  finishBlock(state, 0, 0, key, 0);
  expect([...key]).toEqual([...keysOf(tokens, 16)]);
});

test('tokens of 32 bits are the same in either kind of array', () => {
  const tokens = Uint32Array.of(0xffffffff, 0x80000000, 1, 2);
  expect(keysOf(tokens, 4)).toEqual(keysOf(Int32Array.from(tokens), 4));
});

describe('other keys', () => {
  const tokens = range(0, 32);
  const plain = keysOf(tokens, 16);

  test('for every changed token, in its block and all after it', () => {
    for (let i = 0; i < tokens.length; i++) {
      const changed = Int32Array.from(tokens);
      changed[i] = (changed[i] as number) ^ 1;
      const keys = keysOf(changed, 16);
      expect(keys.subarray(4, 8)).not.toEqual(plain.subarray(4, 8));
      const isFirst = i < 16;
      expect(String(keys.subarray(0, 4)) === String(plain.subarray(0, 4))).toBe(!isFirst);
    }
  });

  test('for the same words as extras and as tokens', () => {
    const key = new Int32Array(4);
    const state = Int32Array.from(start);
    absorb(state, 0, 0);
    absorb(state, 0, 1);
    chainBlock(state, 0, tokens, 2, 14, 2, key, 0);
    expect(key).not.toEqual(plain.subarray(0, 4));
  });

  test('for every secret, salt and adapter', () => {
    const other = new Uint8Array(32).fill(8);
    const scopes = [
      scopeOf(secret, {}),
      scopeOf(secret, { salt: 'ab' }),
      scopeOf(secret, { salt: 'a', adapter: 'b' }),
      scopeOf(secret, { adapter: 'ab' }),
      scopeOf(other, {}),
    ];
    expect(new Set(scopes.map((scope) => String(scope.start))).size).toBe(scopes.length);
    expect(scopes[0]?.start).toHaveLength(stateWords);
    expect(scopeOf(secret, { salt: 'ab' })).toEqual(scopes[1]);
  });
});

test('each of the 128 bits depends on the tokens', () => {
  let zeros = -1;
  let ones = -1;
  const seen = [0, 0, 0, 0];
  const always = [-1, -1, -1, -1];
  for (let i = 0; i < 200; i++) {
    const key = keysOf(Int32Array.of(i), 1);
    for (let word = 0; word < 4; word++) {
      seen[word] = (seen[word] as number) | (key[word] as number);
      always[word] = (always[word] as number) & (key[word] as number);
    }
  }
  for (let word = 0; word < 4; word++) {
    zeros &= seen[word] as number;
    ones &= ~(always[word] as number);
  }
  expect([zeros, ones]).toEqual([-1, -1]);
  expect(digestWords('a', 4)).toHaveLength(4);
});
