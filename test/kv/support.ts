/** Small traces for tests. */

import { TraceBuilder, type Trace } from '../../src/kv/traces/trace.ts';
import { fc } from '../support/properties.ts';

/** A trace of these requests, a second apart. */
export function traceOf(requests: readonly (readonly number[])[]): Trace {
  const builder = new TraceBuilder('made up');
  for (const [index, blocks] of requests.entries()) {
    builder.begin(index * 1000);
    for (const block of blocks) builder.add(block);
  }
  return builder.build();
}

/** Requests of a trace, as lists of block numbers. */
export function requestsOf(trace: Trace): number[][] {
  return Array.from(trace.arrivalsMs, (_, request) =>
    Array.from(trace.references.subarray(trace.starts[request], trace.starts[request + 1])),
  );
}

/** Paths from the root of a random tree: a block always stands behind the same ones, as chained hashes do. */
export function chains(
  maxBlocks: number,
  maxRequests: number,
): fc.Arbitrary<readonly (readonly number[])[]> {
  const parents = fc.array(fc.nat(), { minLength: 1, maxLength: maxBlocks });
  const ends = fc.array(fc.nat(), { minLength: 1, maxLength: maxRequests });
  return fc.tuple(parents, ends).map(([choices, chosen]) => {
    const paths: number[][] = [];
    for (const [block, choice] of choices.entries()) {
      // One more choice than there are blocks: to stand at the root.
      const parent = choice % (block + 1);
      paths.push(parent === block ? [block] : [...(paths[parent] as number[]), block]);
    }
    return chosen.map((end) => paths[end % paths.length] as number[]);
  });
}
