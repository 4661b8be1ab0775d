/** Model files with random weights: the same bytes each time, and llama.cpp reads them. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeRandomModel, type RandomModel } from '../../src/engine/gguf/llama-model.ts';
import { toHalves } from '../../src/engine/gguf/half.ts';
import { answer, engine, missingEngine } from './support/models.ts';

const small: RandomModel = {
  layers: 2,
  width: 64,
  heads: 4,
  kvHeads: 2,
  vocabulary: 512,
  contextTokens: 256,
  seed: 7,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'cenote-gguf-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, model: RandomModel): string {
  const file = path.join(folder, name);
  writeRandomModel(file, model);
  return file;
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

test('are the same bytes for the same seed, and others for another', () => {
  const first = hashOf(written('first.gguf', small));
  expect(hashOf(written('again.gguf', small))).toBe(first);
  expect(hashOf(written('other.gguf', { ...small, seed: 8 }))).not.toBe(first);
});

test.skipIf(missingEngine()).each(['f32', 'f16'] as const)(
  'of %s are read by llama.cpp, and say the same again',
  async (type) => {
    const modelPath = written('model.gguf', { ...small, type });
    const say = async (prompt: string): Promise<string> =>
      (await answer(await engine({ modelPath, contextTokens: 256 }), { prompt })).text;
    const text = await say('Call me Ishmael: 鯨.');
    expect(text).not.toBe('');
    expect(await say('Call me Ishmael: 鯨.')).toBe(text);
    expect(await say('Some years ago')).not.toBe(text);
  },
);

test('halves are rounded to the nearest, ties to even', () => {
  const cases: readonly (readonly [number, number])[] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65_504, 0x7bff],
    [65_519, 0x7bff],
    [65_520, 0x7c00],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
    [Number.NaN, 0x7e00],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [3 * 2 ** -25, 0x0002],
    [2 ** -14 - 2 ** -26, 0x0400],
  ];
  const halves = toHalves(Float32Array.from(cases, ([value]) => value));
  expect([...halves]).toEqual(cases.map(([, half]) => half));
});
