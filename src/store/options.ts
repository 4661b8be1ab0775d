import type { Clock } from '../base/clock.ts';
import type { PolicyName } from '../evict/api.ts';
import type { Hooks } from './hooks.ts';

/** Largest part, whatever the segments could hold. */
export const partMaxBytes: number = 512 * 2 ** 20;

export interface StoreOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** What decides which part goes when memory is full. */
  readonly eviction: PolicyName;
  readonly checksums: boolean;
  readonly hooks: Partial<Hooks>;
  /** How long to wait for the pen. Default 1000. */
  readonly lockWaitMs?: number;
}
