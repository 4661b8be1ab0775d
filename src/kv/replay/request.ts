/** A request of a trace, as caches of blocks see it. */

import type { SessionHint, StopReason } from '../../evict/api.ts';

export interface ReplayRequest {
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly stop: StopReason;
  readonly hint: SessionHint;
  /** Numbers of its blocks from 0, so that equal numbers are equal prefixes. */
  readonly blocks: Int32Array;
  /** Blocks that are full: all, or all but the last. */
  readonly fullBlocks: number;
}
