/** Exact LRU where every reference counts alone: what sampled eviction of parts is held against. */

import { Simulation } from '../../src/kv/replay/cache.ts';
import type { Trace } from '../../src/kv/traces/trace.ts';

/** @returns hits of a plain LRU of `capacity` ≥ 1 blocks */
export function lruHits(trace: Trace, capacity: number): number {
  if (capacity < 1) throw new RangeError(`an LRU of ${capacity} blocks holds nothing`);
  const single = new Simulation(alone(trace), 'lru', capacity);
  single.play(trace.references.length);
  return single.hits;
}

/** The trace with a request for each reference. */
function alone(trace: Trace): Trace {
  const count = trace.references.length;
  return {
    ...trace,
    starts: Int32Array.from({ length: count + 1 }, (_, index) => index),
    arrivalsMs: new Float64Array(count),
  };
}
