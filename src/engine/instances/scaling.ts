/** When an instance more is started, and when one ends. */

export interface Load {
  readonly nowMs: number;
  readonly min: number;
  readonly max: number;
  /** Ready, starting, or closing. */
  readonly instances: number;
  readonly starting: number;
  /** Since when the first in the queue has waited; undefined: nobody waits. */
  readonly waitingSinceMs: number | undefined;
  /** Since when the longest idle of the ready instances has been so; undefined: none is. */
  readonly idleSinceMs: number | undefined;
  readonly scaleUpAfterMs: number;
  readonly idleAfterMs: number;
}

export interface Decision {
  readonly action: 'start' | 'end' | undefined;
  /** When to look again, if nothing else happens before. Infinity: never. */
  readonly nextMs: number;
}

/** One instance starts at a time: only when it is there does the queue tell whether it was enough. */
export function decide(load: Load): Decision {
  const { nowMs, min, max, instances, starting, waitingSinceMs, idleSinceMs } = load;
  if (instances < min && starting === 0) return { action: 'start', nextMs: nowMs };
  if (waitingSinceMs !== undefined) {
    if (starting > 0 || instances >= max) return { action: undefined, nextMs: Infinity };
    const dueMs = waitingSinceMs + load.scaleUpAfterMs;
    return nowMs >= dueMs
      ? { action: 'start', nextMs: nowMs }
      : { action: undefined, nextMs: dueMs };
  }
  if (idleSinceMs === undefined || instances <= min) return { action: undefined, nextMs: Infinity };
  const dueMs = idleSinceMs + load.idleAfterMs;
  return nowMs >= dueMs ? { action: 'end', nextMs: nowMs } : { action: undefined, nextMs: dueMs };
}
