/** What the parts of a cache share. */

import type { Blocks } from './blocks.ts';
import type { Sequences } from './sequences.ts';

export interface State {
  readonly blocks: Blocks;
  readonly sequences: Sequences;
  readonly blockTokens: number;
  /** Tokens that attention looks back, itself included; 0: all. */
  readonly windowTokens: number;
  /** False: blocks are numbered and counted, never found. */
  readonly caching: boolean;
  /** Keys of the request that is looked up, grown and kept. */
  keys: Int32Array;
}

/** Answer where blocks or slots are lacking: nothing has changed. */
export const noRoom = -1;

/** What `decode` did. */
export const step = {
  /** The token's place was there. */
  written: 0,
  /** The table is one block longer. */
  grew: 1,
  /** The last block was shared: the engine copies `copy.from` to `copy.to`, which took its place in the table, before it writes. */
  copied: 2,
} as const;
