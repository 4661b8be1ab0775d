/** `cenote replay` in process: a trace against caches on paper. */

import { setImmediate as breathe } from 'node:timers/promises';
import { Simulation, type PolicyName } from '../../kv/replay/cache.ts';
import { policyNames as inFlightPolicyNames } from '../../evict/policies.ts';
import { InFlight } from '../../kv/replay/in-flight.ts';
import { requestCount, type Trace } from '../../kv/traces/trace.ts';

/** One run, as `--json` prints it. */
export interface SimulatedRow {
  readonly trace: string;
  readonly policy: PolicyName;
  readonly capacityBlocks: number;
  readonly requests: number;
  readonly blockRefs: number;
  readonly hits: number;
  readonly hitRatio: number;
  /** Of the offline optimum at that capacity. */
  readonly minHitRatio: number;
  readonly evictions: number;
  readonly blocksPerSecond: number;
}

export interface SimulateOptions {
  readonly trace: Trace;
  readonly policies: readonly PolicyName[];
  readonly capacities: readonly number[];
  /** Requests hold their blocks while they run; the optimum is still that of one after the other. */
  readonly inFlight: boolean;
  /** No further run begins, and the one under way is dropped, once it aborts. */
  readonly signal: AbortSignal;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** References played, and all that will be. */
  readonly onProgress: (done: number, total: number) => void;
}

/** Requests between two looks at the signal. */
const requestsPerTurn = 512;

/** @returns a row for each policy and capacity that was played to its end */
export async function simulate(options: SimulateOptions): Promise<SimulatedRow[]> {
  const { trace, policies, capacities } = options;
  const blockRefs = trace.references.length;
  const rows: SimulatedRow[] = [];
  // The optimum is played at each capacity, whether it is asked for or not.
  const others = policies.filter((policy) => policy !== 'min');
  const total = blockRefs * capacities.length * (1 + others.length);
  let before = 0;
  for (const capacityBlocks of capacities) {
    const outcomes = new Map<PolicyName, Outcome>();
    for (const policy of ['min', ...others] as const) {
      const outcome = await run(options, policy, capacityBlocks, (done) =>
        options.onProgress(before + done, total),
      );
      if (outcome === undefined) return rows;
      outcomes.set(policy, outcome);
      before += blockRefs;
    }
    const best = outcomes.get('min') as Outcome;
    for (const policy of policies) {
      const { hits, evictions, tookMs } = outcomes.get(policy) as Outcome;
      rows.push({
        trace: trace.name,
        policy,
        capacityBlocks,
        requests: requestCount(trace),
        blockRefs,
        hits,
        hitRatio: ratio(hits, blockRefs),
        minHitRatio: ratio(best.hits, blockRefs),
        evictions,
        blocksPerSecond: Math.round(ratio(blockRefs, tookMs / 1000)),
      });
    }
  }
  return rows;
}

interface Outcome {
  readonly hits: number;
  readonly evictions: number;
  readonly tookMs: number;
}

/** @returns undefined when the signal aborted */
async function run(
  { trace, signal, nowMs, inFlight }: SimulateOptions,
  policy: PolicyName,
  capacityBlocks: number,
  onProgress: (references: number) => void,
): Promise<Outcome | undefined> {
  let tookMs = 0;
  const startMs = nowMs();
  const flying = inFlight ? inFlightPolicyNames.find((name) => name === policy) : undefined;
  const simulation =
    flying === undefined
      ? new Simulation(trace, policy, capacityBlocks)
      : new InFlight(trace, flying, capacityBlocks);
  tookMs += nowMs() - startMs;
  while (!simulation.done) {
    // A signal is heard between turns only.
    await breathe();
    if (signal.aborted) return undefined;
    const turnMs = nowMs();
    simulation.play(requestsPerTurn);
    tookMs += nowMs() - turnMs;
    onProgress(trace.starts[simulation.requests] as number);
  }
  return { hits: simulation.hits, evictions: simulation.evictions, tookMs };
}

/** 0 where there is nothing to divide by. */
function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
