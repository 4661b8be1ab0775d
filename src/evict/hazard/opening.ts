/** A request as it arrives: its record, and the features that all its blocks have. */

import {
  evidenceBins,
  featureCount,
  frailtyBin,
  gapBin,
  growthBin,
  lengthBin,
  newBlocksBin,
  outputBeforeBin,
  relation,
  unknownOutput,
} from './features.ts';
import { bucketOf } from './ages.ts';
import { none } from './known.ts';
import type { Learner } from './learner.ts';
import type { Records } from './records.ts';
import type { RequestList } from './request-list.ts';

/** Returns seen and expected count so much less with each turn. */
const frailtyDecay = 0.9;

/**
 * @param before group of the last block that was known, or none: the request before this one of its session
 * @param knownBlocks blocks that were known, from the first on
 */
export function openRequest(
  learner: Learner,
  records: Records,
  list: RequestList,
  before: number,
  knownBlocks: number,
  inputTokens: number,
): void {
  const record = records.create();
  const { count } = list;
  list.record = record;
  const previous = before === none ? none : (learner.groups.record[before] as number);
  const bins = list.shared;
  bins.fill(0);
  bins[2] = lengthBin(count);
  bins[3] = newBlocksBin(count - knownBlocks);
  records.atS[record] = learner.nowS;
  records.blocks[record] = count;
  records.inputTokens[record] = inputTokens;
  records.turn[record] = 1;
  records.observed[record] = 0;
  records.expected[record] = 0;
  list.relation = relation.first;
  let gapS = -1;
  if (previous !== none) {
    gapS = learner.nowS - (records.atS[previous] as number);
    learner.model.hazards(learner.groups.bins, before * featureCount, 0, bucketOf(gapS));
    const expected = learner.model.cumulative(gapS);
    records.observed[record] = frailtyDecay * (records.observed[previous] as number) + 1;
    records.expected[record] = frailtyDecay * (records.expected[previous] as number) + expected;
    records.turn[record] = (records.turn[previous] as number) + 1;
    bins[4] = (records.evidence[previous] as number) * evidenceBins;
    bins[5] = outputBeforeBin(records.outputTokens[previous] as number);
    bins[6] = growthBin(inputTokens - (records.inputTokens[previous] as number));
    const isWhole = knownBlocks >= (records.blocks[previous] as number);
    list.relation = isWhole ? relation.extension : relation.branch;
  }
  bins[0] = unknownOutput * evidenceBins;
  bins[1] = gapBin(gapS) * evidenceBins;
  bins[7] = frailtyBin(records.observed[record], records.expected[record]);
}
