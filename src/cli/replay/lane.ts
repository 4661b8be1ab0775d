/** A connection of the replay to a server, whatever it speaks. */

import type { BlockBytes } from './block-bytes.ts';
import { connectHttp } from './http-lane.ts';
import { connectResp } from './resp-lane.ts';
import type { Target } from './target.ts';

/** The server would not do it; the run goes on. */
export interface Refused {
  /** What it called the reason: `OOM`, `pool_full`, `503`. */
  readonly word: string;
  readonly message: string;
}

/** `wrong`: it is there with other bytes than were written. */
export type Answer = 'yes' | 'no' | 'wrong' | Refused;

export interface Lane {
  /** Operations that may be under way at once. */
  readonly window: number;
  /** Whether a block is there. That is no use of it. @throws target_unavailable, unauthorized, forbidden */
  has(block: number): Promise<Answer>;
  /** Reads a block and compares it with what was written. @throws as has */
  read(block: number): Promise<Answer>;
  /** @throws as has */
  write(block: number): Promise<Answer>;
  close(): void;
}

/** What every lane of a run needs to know. */
export interface LaneOptions {
  readonly target: Target;
  readonly bytes: BlockBytes;
  /** Ids of blocks begin with this. */
  readonly prefix: string;
  /** Blocks are forgotten by the server after this time. */
  readonly ttlMs: number;
  /** A server that says nothing for so long, while it is asked something, is taken for gone. */
  readonly patienceMs: number;
}

/** @throws target_unavailable, unauthorized, forbidden */
export function connectLane(options: LaneOptions): Promise<Lane> {
  return options.target.protocol === 'resp' ? connectResp(options) : connectHttp(options);
}
