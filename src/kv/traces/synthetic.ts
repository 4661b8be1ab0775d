/** Traces made up of one idea each, to judge policies on what no real trace shows alone. All blocks are full; nothing is said of how requests stop. */

import type { Random } from '../../base/random.ts';
import { TraceBuilder, tokensPerBlock, type Trace } from './trace.ts';

export const syntheticNames = [
  'uniform',
  'zipf',
  'scan',
  'loop',
  'recency',
  'turncoat',
  'bursts',
] as const;
export type SyntheticName = (typeof syntheticNames)[number];

export interface SyntheticSize {
  readonly requests: number;
  /** Sessions or documents that requests choose from. */
  readonly chains: number;
  readonly blocksPerChain: number;
}

const requestEveryMs = 250;

/** Draws the number of a chain for request number `request`. */
type Choose = (random: Random, request: number, size: SyntheticSize) => number;

const chooses: Readonly<Record<SyntheticName, Choose>> = {
  /** Any chain at any time. */
  uniform: (random, _request, { chains }) => random.below(chains),
  /** Few are asked for often: rank by an approximate Zipf law. */
  zipf: (random, _request, { chains }) => zipf(random, chains),
  /** Half of the requests are asked for once only. */
  scan: (random, request, { chains }) =>
    random.below(2) === 0 ? zipf(random, chains) : chains + request,
  /** One after the other, again and again: LRU finds nothing of what does not fit. */
  loop: (_random, request, { chains }) => request % chains,
  /** The more recent, the likelier: the case for LRU. */
  recency: (random, request) => Math.max(0, request - 1 - skewed(random, request)),
  /** What was used once returns never; then, from the middle on, at once; and so on, in quarters. */
  turncoat: (random, request, { requests, chains }) => {
    const quarter = Math.floor((4 * request) / requests);
    return quarter % 2 === 0
      ? random.below(chains)
      : chains + Math.floor(request / 8) - random.below(Math.min(16, 1 + (request >> 3)));
  },
  /** A chain is asked for some times in a row, and then hardly ever. */
  bursts: (random, request, { chains }) =>
    random.below(8) === 0
      ? random.below(chains)
      : chains + Math.floor(request / 32) * 4 + random.below(4),
};

/** Each request is a chain from its first block on, to a random depth. */
export function syntheticTrace(name: SyntheticName, random: Random, size: SyntheticSize): Trace {
  const builder = new TraceBuilder(name);
  const choose = chooses[name];
  let atMs = 0;
  for (let request = 0; request < size.requests; request += 1) {
    atMs += random.below(2 * requestEveryMs);
    const chain = choose(random, request, size);
    const blocks = 1 + random.below(size.blocksPerChain);
    builder.begin(atMs, { inputTokens: blocks * tokensPerBlock, outputTokens: random.below(500) });
    for (let depth = 0; depth < blocks; depth += 1) {
      builder.add(chain * size.blocksPerChain + depth);
    }
  }
  return builder.build();
}

function zipf(random: Random, chains: number): number {
  const share = (random.next() + 1) / 2 ** 31;
  return Math.min(chains - 1, Math.floor(chains ** share) - 1);
}

/** Mostly small: a geometric-like spread over all that came before. */
function skewed(random: Random, request: number): number {
  const share = (random.next() + 1) / 2 ** 31;
  return Math.min(request, Math.floor((request + 1) ** share) - 1);
}
