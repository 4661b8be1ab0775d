/** Block operations by policy and number of blocks. Each beside the smallest cache in the same run: what grows is misses of the processor's caches. */

import type { PolicyName } from 'cenote/kv';
import { measure, type Measured, type Plan, type Subject } from '../harness/rounds.ts';
import { type Bar, type Row, toRow } from '../harness/row.ts';
import { ratioByRounds } from '../harness/stats.ts';
import type { Context, Scenario } from '../harness/suite.ts';
import { Load, Prompts, promptTokens, requestOperations } from './load.ts';
import type { PolicyCase } from './policies.ts';

const smallest = 10_000;
const barBlocks = 100_000;
const largest = 10_000_000;
/** Time per operation with the most blocks over that with the fewest. */
const growthBar = 20;
const requestsPerRound = 2_000;

export const sizes: readonly number[] = [smallest, barBlocks, 1_000_000, largest];

export function sizeName(blocks: number): string {
  return blocks >= 1e6 ? `${blocks / 1e6}M` : `${blocks / 1e3}k`;
}

export function sizeScenario(policy: PolicyCase, blocks: number): Scenario {
  const name = `${policy.name}-${sizeName(blocks)}`;
  return { name, run: (context) => run(name, policy, blocks, context) };
}

async function run(
  name: string,
  policy: PolicyCase,
  blocks: number,
  context: Context,
): Promise<Row[]> {
  if (context.quick && blocks > barBlocks) return [];
  const requests = context.quick ? requestsPerRound / 10 : requestsPerRound;
  const counts = blocks === smallest ? [smallest] : [smallest, blocks];
  const subjects = counts.map((count) => subjectOf(policy.name, count, requests));
  const plan = planOf(requests, context);
  const measured = await measure(subjects, plan);
  const last = measured.at(-1) as Measured;
  return [toRow('kv', name, last, { bars: barsOf(policy, blocks, measured) })];
}

export function planOf(requests: number, { quick, log }: Context): Plan {
  const operations = requests * requestOperations;
  return { operations, batch: requestOperations, rounds: quick ? 3 : 7, log };
}

/** A cache at work; a round is so many requests. */
export function subjectOf(policy: PolicyName, blocks: number, requests: number): Subject {
  const prompts = new Prompts(blocks);
  const load = new Load(blocks, policy);
  load.warmUp(prompts);
  const round = new Int32Array(requests * promptTokens);
  return {
    name: `cenote-${policy}-${sizeName(blocks)}`,
    prepare: () => prompts.write(round),
    run: (from) => load.request(round, from / requestOperations),
  };
}

function barsOf(policy: PolicyCase, blocks: number, measured: readonly Measured[]): Bar[] {
  const [first, last] = [measured[0] as Measured, measured.at(-1) as Measured];
  if (blocks === barBlocks && policy.barPerSecond !== undefined) {
    const perSecond = toRow('kv', '', last).opsPerSecond;
    const [value, limit] = [perSecond / 1e6, policy.barPerSecond / 1e6];
    return [{ what: 'M block operations/s', value, limit, direction: 'atLeast' }];
  }
  if (blocks !== largest) return [];
  const value = ratioByRounds(last.roundsNs, first.roundsNs);
  const what = `× the time with ${sizeName(smallest)} blocks`;
  return [{ what, value, limit: growthBar, direction: 'atMost' }];
}
