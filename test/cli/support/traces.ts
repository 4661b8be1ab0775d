/** Traces for tests of the command line. */

import { writeFileSync } from 'node:fs';
import { conversationShape, generateTrace } from '../../../src/kv/traces/generate.ts';
import { Simulation } from '../../../src/kv/replay/cache.ts';
import type { Trace } from '../../../src/kv/traces/trace.ts';
import { requestsOf } from '../../kv/support.ts';
import { seed } from '../../support/seed.ts';
import type { Scratch } from './cli.ts';

export function generated(sessions: number): Trace {
  return generateTrace({ ...conversationShape, sessions, blocksMax: 60 }, seed());
}

/** A trace as a file that `replay` reads. */
export function written(scratch: Scratch, trace: Trace): string {
  const lines = requestsOf(trace).map((blocks, request) =>
    JSON.stringify({ timestamp: trace.arrivalsMs[request], hash_ids: blocks }),
  );
  const path = scratch.join('trace.jsonl');
  writeFileSync(path, lines.join('\n'));
  return path;
}

export function lruHits(trace: Trace, capacity: number): number {
  const simulation = new Simulation(trace, 'lru', capacity);
  simulation.play(Infinity);
  return simulation.hits;
}
