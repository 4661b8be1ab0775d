/** Which token comes next. */

import { expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { noToken, sample } from '../../../src/engine/worker/sample.ts';
import { seed } from '../../support/seed.ts';

const logits = Float32Array.of(1, 3, 2, 3, -50);
const plain = { temperature: 1, topP: 1, topK: 0 };

function drawn(sampling: typeof plain, count = 4000): number[] {
  const random = new Random(seed());
  const counts = [0, 0, 0, 0, 0];
  for (let draw = 0; draw < count; draw++) {
    const token = sample(logits, sampling, random);
    counts[token] = (counts[token] as number) + 1;
  }
  return counts.map((times) => times / count);
}

it('is the first of the likeliest at temperature 0', () => {
  expect(drawn({ ...plain, temperature: 0 }, 10)).toEqual([0, 1, 0, 0, 0]);
});

it('is drawn as often as its probability says', () => {
  const weights = [Math.exp(-2), 1, Math.exp(-1), 1, 0];
  const sum = weights.reduce((a, b) => a + b);
  drawn(plain).forEach((share, token) => {
    expect(Math.abs(share - (weights[token] as number) / sum)).toBeLessThan(0.04);
  });
});

it('is one of the topK likeliest', () => {
  const [zero, one, two, three] = drawn({ ...plain, topK: 2 });
  expect([zero, two]).toEqual([0, 0]);
  expect((one as number) + (three as number)).toBe(1);
});

it('is one of the least many that have topP together, and always one', () => {
  expect(drawn({ ...plain, topP: 0.5 }).map(Math.ceil)).toEqual([0, 1, 0, 1, 0]);
  expect(drawn({ ...plain, topP: 0.9 }).map(Math.ceil)).toEqual([0, 1, 1, 1, 0]);
  expect(drawn({ ...plain, topP: 0 }, 10)).toEqual([0, 1, 0, 0, 0]);
});

it('comes nearer to the likeliest with less temperature', () => {
  const [cold, warm] = [drawn({ ...plain, temperature: 0.2 }), drawn({ ...plain, temperature: 5 })];
  expect(cold[0]).toBeLessThan(0.01);
  expect(warm[0]).toBeGreaterThan(0.1);
});

it.each([
  ['one is no number', [1, NaN, 3]],
  ['the first is no number', [NaN, 2, 3]],
  ['the last is no number', [1, 2, NaN]],
  ['none is a number', [NaN, NaN, NaN]],
  ['one is beyond all numbers', [1, Infinity, 3]],
  ['none can come', [-Infinity, -Infinity, -Infinity]],
])('is none where %s', (_, values) => {
  const random = new Random(1);
  expect(sample(Float32Array.from(values), plain, random)).toBe(noToken);
  expect(sample(Float32Array.from(values), { ...plain, temperature: 0 }, random)).toBe(noToken);
  expect(sample(Float32Array.of(-Infinity, 2, -Infinity), plain, random)).toBe(1);
});
