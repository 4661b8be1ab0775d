/** The policies that are measured, and what is asked of them at 100,000 blocks. */

import { Lru, type Policy } from 'cenote/kv';

export interface PolicyCase {
  readonly name: string;
  readonly make: (blocks: number) => Policy;
  /** Block operations per second. */
  readonly barPerSecond: number;
}

export const policies: readonly PolicyCase[] = [
  { name: 'lru', make: (blocks) => new Lru(blocks), barPerSecond: 3e6 },
];
