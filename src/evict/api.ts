/**
 * The contract between a cache of blocks and what decides which of them goes.
 *
 * A cache has `capacity` places, numbered from 0. Blocks form chains: each but the first of a request extends the one before it, and a hit counts
 * only if all before it are there. So a place may be given away when no request uses it and, better, when no cached block extends it (a *leaf*).
 *
 * ```
 * begin ─► place … ─► (retain, leaf, branch, release as the cache finds) ─► end
 *              └─ victim ─► gone      when there is no room
 * ```
 * Not re-entrant, no memory is taken per block in steady state.
 */

/** How a request ended. */
export const stopReason = { unknown: 0, endTurn: 1, toolUse: 2 } as const;
export type StopReason = (typeof stopReason)[keyof typeof stopReason];

/** What outside evidence says of the session after a request. Evidence, never an order: how far it is believed is learned. */
export const sessionHint = { none: 0, over: 1, goesOn: 2 } as const;
export type SessionHint = (typeof sessionHint)[keyof typeof sessionHint];

/** Words of a block's key. A policy looks at the first two. */
export const keyWords = 4;

/** No place. */
export const noPlace = -1;

export type PolicyName = 'lru' | 'lfu' | 'hazard';

export interface Policy {
  readonly name: PolicyName;

  /**
   * A request looks up its full blocks.
   * @param request a number below `requestsMax` that no request under way has
   * @param keys chained keys of its blocks, `keyWords` words each; only read during the call
   */
  begin(request: number, nowMs: number, inputTokens: number, keys: Int32Array, count: number): void;

  /** A block that the request wrote itself after `begin`: number `depth`, one more than the last. */
  extend(request: number, keyLow: number, keyHigh: number): void;

  /** Block number `depth` of the request lies in `place` from now on, in use. Not called again for blocks that were there. */
  place(request: number, depth: number, place: number): void;

  /** No request uses the block any more. Of several that end together, the last of a chain comes first. */
  release(place: number): void;

  /** A request uses the block (again). */
  retain(place: number): void;

  /** No cached block extends this one any more. So it is from `place` on, until `branch`. */
  leaf(place: number): void;

  /** A cached block extends this one. */
  branch(place: number): void;

  /** The place to give away next, or `noPlace` when nothing may go. The cache empties it and says `gone`. */
  victim(): number;

  /**
   * Whether block `depth` of the request is worth more than what would go for it. Only for caches that may leave a block out; asked before `victim`,
   * which then gives what was looked at.
   */
  admits(request: number, depth: number): boolean;

  /** The content of a place is no longer there. */
  gone(place: number): void;

  /** The request is over. Its blocks may have been released before or are after. */
  end(
    request: number,
    nowMs: number,
    outputTokens: number,
    stop: StopReason,
    hint: SessionHint,
  ): void;

  /** Forgets everything. */
  reset(): void;
}
