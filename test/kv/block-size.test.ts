/** Which block size is advised for lengths that were observed: of real conversations, agents and code, and of made-up ones. */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type TraceName, traceFiles, tracePath } from '../../bench/traces/load.ts';
import {
  type BlockCosts,
  type BlockSize,
  type BlockSizeAdvice,
  BlockSizeAdviser,
  KvCache,
} from '../../src/kv/index.ts';
import { codeOf, range } from './tokens.ts';

/** A model of 8 billion parameters with grouped heads: 128 KiB and 50 µs a token. */
const costs: BlockCosts = { tokenBytes: 2 ** 17, tokenNs: 50_000 };

function adviserOf(lengths: readonly number[], candidates?: readonly number[]): BlockSizeAdviser {
  const adviser = new BlockSizeAdviser(candidates);
  for (const length of lengths) adviser.record(length);
  return adviser;
}

const bySize = (candidates: readonly BlockSize[], size: number): BlockSize =>
  candidates.find(({ blockTokens }) => blockTokens === size) as BlockSize;

test('what is empty is counted, not estimated', () => {
  const advice = adviserOf([100, 128, 7], [16, 128]).advise(costs);
  // 112 + 128 + 16 tokens of room for 235.
  expect(bySize(advice?.candidates ?? [], 16).emptyRatio).toBeCloseTo(21 / 256);
  expect(bySize(advice?.candidates ?? [], 128).emptyRatio).toBeCloseTo(149 / 384);
  expect(advice?.sequences).toBe(3);
});

test('lengths that are multiples of a size have it advised, and none larger', () => {
  const advice = adviserOf([256, 512, 768, 1280]).advise({ ...costs, blockNs: 5000 });
  expect(advice?.best).toMatchObject({ blockTokens: 256, emptyRatio: 0 });
});

test('the dearer a block, the larger; the dearer an empty token, the smaller', () => {
  const adviser = adviserOf(range(100, 3000).reduce<number[]>((all, n) => [...all, n], []));
  const best = (blockNs: number): number =>
    adviser.advise({ ...costs, blockNs })?.best.blockTokens as number;
  expect([10, 1e4, 1e6, 1e8].map(best)).toEqual([1, 16, 256, 512]);
});

test('old times are forgotten', () => {
  const adviser = adviserOf(Array.from({ length: 2 ** 16 }, () => 10_000));
  const { sequences } = adviser.advise(costs) as { sequences: number };
  expect(sequences).toBe(2 ** 15);
});

test('a cache watches its own sequences', () => {
  const kv = new KvCache({ blocks: 16, blockTokens: 4, requestsMax: 2 });
  expect(kv.lengths.advise(costs)).toBeUndefined();
  const sequence = kv.prefill(range(0, 10));
  kv.decode(sequence, 1);
  kv.end(sequence);
  const advice = kv.lengths.advise(costs);
  expect(bySize(advice?.candidates ?? [], 4).emptyRatio).toBeCloseTo(1 / 12);
});

test('misuse is told', () => {
  const adviser = adviserOf([1]);
  for (const candidates of [[], [0], [1.5], [2 ** 17], Array.from({ length: 65 }, () => 1)]) {
    expect(codeOf(() => new BlockSizeAdviser(candidates))).toBe('invalid_argument');
  }
  for (const wrong of [{ tokenNs: 0 }, { tokenBytes: Number.NaN }, { blockNs: -1 }]) {
    expect(codeOf(() => adviser.advise({ ...costs, ...wrong }))).toBe('invalid_argument');
  }
});

/** Lengths at the end of requests: prompt and answer. */
const files: [name: TraceName, lengthOf: (line: string) => number][] = [
  ['conversation', ofJson],
  ['agentic', ofJson],
  ['azureCode', ofRow],
];

function ofJson(line: string): number {
  const { input_length: input, output_length: output } = JSON.parse(line) as Record<string, number>;
  return (input as number) + (output as number);
}

function ofRow(line: string): number {
  const [, input, output] = line.split(',').map(Number);
  return Number.isNaN(input) ? 0 : (input as number) + (output as number);
}

const lost = (size: BlockSize): number => size.memoryRatio + size.timeRatio;

function told(size: BlockSize): string {
  const [empty, all] = [100 * size.emptyRatio, 100 * lost(size)].map((part) => part.toFixed(3));
  return `${size.blockTokens} tokens: ${empty} % empty, ${all} % lost in all`;
}

describe('of real requests', () => {
  test.each(files)('%s: less is lost than with 16 or 512 tokens', (name, lengthOf) => {
    const path = tracePath(name);
    if (path === undefined) {
      process.stdout.write(`skipped: no ${traceFiles[name]} (CENOTE_DATA names its folder)\n`);
      return;
    }
    const lines = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');
    const advice = adviserOf(lines.map(lengthOf).filter((length) => length > 0)).advise(costs);
    const { best, candidates } = advice as BlockSizeAdvice;
    const [sixteen, largest] = [bySize(candidates, 16), bySize(candidates, 512)];
    process.stdout.write(`  ${name}: ${[largest, sixteen, best].map(told).join(' · ')}\n`);
    expect(lost(best)).toBe(Math.min(...candidates.map(lost)));
    expect(lost(best)).toBeLessThan(lost(sixteen));
    expect(lost(sixteen)).toBeLessThan(lost(largest));
    expect(best.emptyRatio).toBeLessThan(largest.emptyRatio);
  });
});
