/** `cenote/kv`: paged caches of attention state. */

export type { Policy, PolicyName, SessionHint, StopReason } from '../evict/api.ts';
export { sessionHint, stopReason } from '../evict/api.ts';
export { Lru } from '../evict/lru.ts';
export {
  type BlockCosts,
  type BlockSize,
  type BlockSizeAdvice,
  BlockSizeAdviser,
} from './block-size.ts';
export type { KvEvent } from './events.ts';
export { type EndOptions, KvCache, type PrefillOptions } from './kv-cache.ts';
export type { OptimumReport } from './live-optimum.ts';
export type { Media } from './media.ts';
export type { KvCacheOptions, KvStats } from './options.ts';
export { Offload, type OffloadOptions, type Transfer } from './offload.ts';
export { type LadderOptions, later, PressureLadder } from './pressure.ts';
export type { Histogram } from '../base/histogram.ts';
export type { Reports } from './reports.ts';
export type { Scope, ScopeOptions } from './scope.ts';
export { noRoom, step } from './state.ts';
