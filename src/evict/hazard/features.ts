/**
 * What is known of a block when it is ranked, in bins: nine features of the request that used it last, five of the block.
 *
 * ```
 *  0 output × evidence   1 gap × evidence   2 prompt length   3 new blocks   4 evidence before × evidence
 *  5 output before       6 prompt growth    7 session frailty
 *  8 turn × uses         9 the block's own gap   10 fan-out   11 depth   12 status   13 evidence alone
 * ```
 * *Evidence* is what was said of the session's future: nothing, how the request stopped, or an outside hint.
 */

import type { SessionHint, StopReason } from '../api.ts';

export const featureCount = 14;
/** The first ones are the same for all blocks of a request. */
export const requestFeatures = 8;

/** What a group of blocks has in features 0, 1, 4 and this one is not known before its request has ended. */
export const evidenceFeature = 13;
export const evidenceBins = 5;
/** Turn or uses: 1, 2, 3, 4, 5–6, 7–9, 10–15, 16–31, more. */
const countBins = 9;
const depthEdges = [0, 1, 3, 8, 32] as const;
/** Output bin of a request that runs. */
export const unknownOutput = 0;

const outputBins = 18;
const gapBins = 14;
const lengthBins = 9;
const frailtyBins = 20;

export const binCounts: readonly number[] = [
  outputBins * evidenceBins,
  gapBins * evidenceBins,
  lengthBins,
  9,
  evidenceBins * evidenceBins,
  10,
  9,
  frailtyBins,
  countBins * countBins,
  15,
  6,
  depthEdges.length,
  6,
  evidenceBins,
];

/** Where the bins of each feature begin among all. */
export const binOffsets: Int32Array = Int32Array.from(binCounts, (_, feature) =>
  binCounts.slice(0, feature).reduce((sum, count) => sum + count, 0),
);
export const binTotal: number = binCounts.reduce((sum, count) => sum + count, 0);

/** 0 for what is not positive, then 1 + ⌊scale · log2(x + 1)⌋, at most `last`. */
function logBin(x: number, scale: number, last: number): number {
  return x <= 0 ? 0 : Math.min(last, 1 + Math.floor(scale * Math.log2(x + 1)));
}

export function countBin(count: number): number {
  if (count <= 4) return Math.max(count, 1) - 1;
  if (count <= 6) return 4;
  if (count <= 9) return 5;
  if (count <= 15) return 6;
  return count <= 31 ? 7 : 8;
}

export function depthBin(depth: number): number {
  let bin = depthEdges.length - 1;
  while (depth < (depthEdges[bin] as number)) bin--;
  return bin;
}

/** Distinct blocks that were seen to extend one: 0, 1, 2, 3–4, 5–8, more. */
export function fanBin(children: number): number {
  if (children <= 2) return children;
  if (children <= 4) return 3;
  return children <= 8 ? 4 : 5;
}

/** 0 where nothing is said; a hint counts before the stop reason. */
export function evidenceOf(stop: StopReason, hint: SessionHint): number {
  return hint === 0 ? stop : hint + 2;
}

export function outputBin(tokens: number): number {
  return 1 + Math.min(outputBins - 2, Math.floor(1.5 * Math.log2(tokens + 1)));
}

/** Below 0: none. */
export function gapBin(gapS: number): number {
  return gapS < 0 ? 0 : 1 + Math.min(gapBins - 2, Math.floor(Math.log2(gapS + 1)));
}

export function ownGapBin(gapS: number): number {
  return gapS < 0 ? 0 : 1 + Math.min(13, Math.floor(Math.log2(gapS + 1)));
}

export function lengthBin(blocks: number): number {
  return Math.min(lengthBins - 1, Math.floor(Math.log2(blocks + 1)));
}

export function newBlocksBin(blocks: number): number {
  return blocks <= 0 ? 0 : 1 + Math.min(7, Math.floor(Math.log2(blocks)));
}

export function outputBeforeBin(tokens: number): number {
  return 1 + Math.min(8, Math.floor(0.75 * Math.log2(tokens + 1)));
}

export function growthBin(tokens: number): number {
  return logBin(tokens, 0.5, 8);
}

/** Returns of the session against what was expected of it. */
export function frailtyBin(observed: number, expected: number): number {
  const bin = Math.floor(10 + 4 * Math.log((observed + 1) / (expected + 1)));
  return Math.max(0, Math.min(frailtyBins - 1, bin));
}

/** Relation of a request to the one before: the first of its session, all of it and more, or a branch. */
export const relation = { first: 0, extension: 1, branch: 2 } as const;

export function statusBin(isNew: boolean, relationTo: number): number {
  return (isNew ? 0 : 3) + relationTo;
}
