/** What a cache of numbered blocks is to a replay. */

import type { Trace } from '../traces/trace.ts';

/** A cache that is asked by requests of one trace, in their order. */
export interface BlockCache {
  /** Blocks that went, or were not let in, for want of room. */
  readonly evictions: number;
  has(block: number): boolean;
  /** A request has used its blocks: they are in the cache now, as far as it wants and has room for them. */
  use(request: number): void;
}

/** Blocks of a request that hit: those before the first that is not there. */
export function prefixHits(
  { references, starts }: Trace,
  cache: BlockCache,
  request: number,
): number {
  const start = starts[request] as number;
  const end = starts[request + 1] as number;
  let at = start;
  while (at < end && cache.has(references[at] as number)) at += 1;
  return at - start;
}
