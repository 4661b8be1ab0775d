/** Traces against the block manager, with time. */

import { describe, expect, it } from 'vitest';
import { Simulation } from '../../src/kv/replay/cache.ts';
import { policyNames } from '../../src/evict/policies.ts';
import { InFlight } from '../../src/kv/replay/in-flight.ts';
import { TraceBuilder, tokensPerBlock, type Trace } from '../../src/kv/traces/trace.ts';
import { rounds, seed } from '../support/seed.ts';
import { chains, traceOf } from './support.ts';
import { fc } from '../support/properties.ts';

const everything = 1e9;

/** Requests that come at once, each with its output. */
function together(requests: readonly (readonly number[])[], outputTokens: number): Trace {
  const builder = new TraceBuilder('at once');
  for (const blocks of requests) {
    builder.begin(0, { inputTokens: blocks.length * tokensPerBlock + 1, outputTokens });
    for (const block of blocks) builder.add(block);
  }
  return builder.build();
}

describe.each(policyNames)('in flight with %s', (policy) => {
  it('plays every request to its end, the same each time', () => {
    const property = fc.property(
      chains(40, 60),
      fc.integer({ min: 1, max: 80 }),
      (requests, places) => {
        const played = [0, 1].map(() => {
          const flight = new InFlight(traceOf(requests), policy, places);
          flight.play(everything);
          expect(flight.done).toBe(true);
          expect(flight.requests).toBe(requests.length);
          expect(flight.references).toBe(requests.flat().length);
          return [flight.hits, flight.evictions, flight.waited, flight.refused];
        });
        expect(played[0]).toEqual(played[1]);
      },
    );
    fc.assert(property, { seed: seed(), numRuns: rounds(60, 600) });
  });

  it('hits every repetition of a full block where all fit', () => {
    const property = fc.property(chains(40, 60), (requests) => {
      const trace = traceOf(requests);
      // Places for all, for what is generated, and for the rest of each prompt.
      const flight = new InFlight(trace, policy, trace.references.length + 2 * requests.length);
      flight.play(everything);
      const best = new Simulation(trace, 'min', trace.distinct);
      best.play(everything);
      expect(flight.hits).toBe(best.hits);
    });
    fc.assert(property, { seed: seed(), numRuns: rounds(60, 600) });
  });

  it('holds the blocks of what runs: who has no room waits, and nobody is forgotten', () => {
    const trace = together(
      [
        [0, 1, 2],
        [3, 4, 5],
        [0, 1, 2],
      ],
      5,
    );
    const flight = new InFlight(trace, policy, 6);
    flight.play(everything);
    expect(flight).toMatchObject({ waited: 2, refused: 0, references: 9 });
    expect(flight.done).toBe(true);
  });

  it('refuses what never fits, and goes on', () => {
    const flight = new InFlight(together([[0, 1, 2, 3], [4]], 0), policy, 3);
    flight.play(everything);
    expect(flight).toMatchObject({ refused: 1, requests: 2 });
    expect(flight.done).toBe(true);
  });
});
