/** Operations per second from two readings of the counters. Pure. */

import { operationNames, type OperationName, type PoolStats } from '../../pool/api.ts';

export type Rates = Record<OperationName, number>;

/** What happened per second between two readings. A counter that fell belongs to a pool made anew: it counts from 0. */
export function ratesBetween(before: PoolStats, after: PoolStats, elapsedMs: number): Rates {
  const rate = (name: OperationName): number => {
    const now = after.operations[name];
    const since = now < before.operations[name] ? now : now - before.operations[name];
    return elapsedMs <= 0 ? 0 : (since / elapsedMs) * 1000;
  };
  return Object.fromEntries(operationNames.map((name) => [name, rate(name)])) as Rates;
}
