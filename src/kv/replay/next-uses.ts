import { requestCount, type Trace } from '../traces/trace.ts';

/** Later than every request. */
export const never = 0x7fff_ffff;

/** For each reference, the next request that has its block. */
export function nextUses(trace: Trace): Int32Array {
  const { references, starts } = trace;
  const next = new Int32Array(references.length);
  const wanted = new Int32Array(trace.distinct).fill(never);
  for (let request = requestCount(trace) - 1; request >= 0; request -= 1) {
    const start = starts[request] as number;
    const end = starts[request + 1] as number;
    // All of a request is read before it is written: a block that it has twice is not wanted by itself.
    for (let at = start; at < end; at += 1) next[at] = wanted[references[at] as number] as number;
    for (let at = start; at < end; at += 1) wanted[references[at] as number] = request;
  }
  return next;
}
