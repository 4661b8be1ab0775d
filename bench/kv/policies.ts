/** The policies that are measured, and what is asked of them at 100,000 blocks. */

import type { PolicyName } from 'cenote/kv';

export interface PolicyCase {
  readonly name: PolicyName;
  /** Block operations per second. */
  readonly barPerSecond: number | undefined;
}

export const policies: readonly PolicyCase[] = [
  { name: 'lru', barPerSecond: 3e6 },
  { name: 'lfu', barPerSecond: undefined },
  { name: 'hazard', barPerSecond: 1e6 },
];
