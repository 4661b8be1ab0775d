/** The next token from logits: the likeliest, or one drawn by a seeded source. */

import type { Random } from '../../base/random.ts';

export interface Sampling {
  /** 0: the likeliest. */
  readonly temperature: number;
  readonly topP: number;
  /** 0: all. */
  readonly topK: number;
}

/** Tokens less likely than the likeliest by this factor's power of e are never drawn: all of them together are less than 1 in 10^6. */
const negligible = 30;
const drawRange: number = 2 ** 31;

/** In place of a token where logits say nothing: one of them is no number, or none is finite. */
export const noToken = -1;

/** @returns `noToken` where there is none */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  let top = -Infinity;
  for (let token = 0; token < logits.length; token++) {
    const value = logits[token] as number;
    if (value > top) {
      best = token;
      top = value;
    } else if (Number.isNaN(value)) return noToken;
  }
  return Number.isFinite(top) ? best : noToken;
}

/** @returns `noToken` where there is none */
export function sample(logits: Float32Array, sampling: Sampling, random: Random): number {
  const { temperature, topP, topK } = sampling;
  const best = likeliest(logits);
  if (temperature === 0 || best === noToken) return best;
  const top = logits[best] as number;
  const candidates: { token: number; weight: number }[] = [];
  for (let token = 0; token < logits.length; token++) {
    const below = ((logits[token] as number) - top) / temperature;
    if (below > -negligible) candidates.push({ token, weight: Math.exp(below) });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.token - b.token);
  if (topK > 0) candidates.length = Math.min(candidates.length, topK);
  let sum = candidates.reduce((total, { weight }) => total + weight, 0);
  if (topP < 1) sum = cut(candidates, topP * sum);
  let left = (random.next() / drawRange) * sum;
  for (const { token, weight } of candidates) {
    left -= weight;
    if (left < 0) return token;
  }
  return best;
}

/** Keeps the first of them that together weigh `least`. @returns what they weigh */
function cut(candidates: { readonly weight: number }[], least: number): number {
  let sum = 0;
  let count = 0;
  while (count < candidates.length && (sum < least || count === 0)) {
    sum += candidates[count]?.weight ?? 0;
    count += 1;
  }
  candidates.length = count;
  return sum;
}
