/** `cenote replay --capacity-bytes`: plain object caches, as libCacheSim counts them. */

import { setImmediate as breathe } from 'node:timers/promises';
import { sizedMisses, type SizedPolicyName } from '../../kv/replay/sized.ts';
import type { Trace } from '../../kv/traces/trace.ts';

/** One run, as `--json` prints it. */
export interface SizedRow {
  readonly trace: string;
  readonly policy: SizedPolicyName;
  readonly capacityBytes: number;
  readonly requests: number;
  readonly misses: number;
  readonly missRatio: number;
}

/** @returns a row for each policy and capacity that was played before the signal aborted @throws invalid_argument for a trace without sizes */
export async function playSized(
  trace: Trace,
  policies: readonly SizedPolicyName[],
  capacitiesBytes: readonly number[],
  signal: AbortSignal,
): Promise<SizedRow[]> {
  const rows: SizedRow[] = [];
  const requests = trace.references.length;
  for (const capacityBytes of capacitiesBytes) {
    for (const policy of policies) {
      await breathe(); // a signal is heard between runs only
      if (signal.aborted) return rows;
      const misses = sizedMisses(trace, policy, capacityBytes);
      const missRatio = misses / Math.max(1, requests);
      rows.push({ trace: trace.name, policy, capacityBytes, requests, misses, missRatio });
    }
  }
  return rows;
}
