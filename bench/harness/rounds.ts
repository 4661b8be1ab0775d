/**
 * Rounds: subjects warm up until two rounds in a row agree, then take turns (ours, peer, ours, peer …), so that a change
 * of the machine's mood meets all of them alike.
 */

import { Histogram } from '../../src/base/histogram.ts';
import { agree } from './stats.ts';

export interface Subject {
  readonly name: string;
  /** Runs operations [from, to) of the round; the result must depend on each, or the compiler may drop them. */
  run(from: number, to: number): number;
  /** In place of the plan's, for a subject that is much slower or faster than the others. */
  readonly operations?: number;
  /** Before each round, not timed. */
  prepare?(): void | Promise<void>;
}

export interface Plan {
  readonly operations: number;
  /** Operations between two readings of the clock: large where one takes nanoseconds. */
  readonly batch: number;
  readonly rounds: number;
  readonly log: (line: string) => void;
  /** Milliseconds from anywhere, as fine as the machine has it. Default: performance.now. */
  readonly nowMs?: () => number;
}

const systemNowMs = (): number => performance.now();

export interface Measured {
  readonly name: string;
  readonly batch: number;
  /** Nanoseconds per operation of each round. */
  readonly roundsNs: readonly number[];
  /** Nanoseconds per batch. */
  readonly histogram: Histogram;
  /** False when the warm-up ended at its limit. */
  readonly settled: boolean;
}

const warmupRoundsMin = 2;
const warmupRoundsMax = 12;
const warmupTolerance = 0.03;

/** What all runs returned, folded together. Printed once, so that no run is dead code. */
let sink = 0;

export function sinkValue(): number {
  return sink;
}

export async function measure(subjects: readonly Subject[], plan: Plan): Promise<Measured[]> {
  const states = subjects.map((subject) => ({
    subject,
    roundsNs: new Array<number>(),
    histogram: new Histogram(),
    settled: false,
  }));
  for (const state of states) {
    state.settled = await warmUp(state.subject, plan, state.histogram);
    if (!state.settled) plan.log(`  ${state.subject.name}: rounds still differ after warm-up`);
    state.histogram.clear();
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const state of states) {
      state.roundsNs.push(await timeRound(state.subject, plan, state.histogram));
    }
  }
  return states.map(({ subject, roundsNs, histogram, settled }) => ({
    name: subject.name,
    batch: plan.batch,
    roundsNs,
    histogram,
    settled,
  }));
}

async function warmUp(subject: Subject, plan: Plan, histogram: Histogram): Promise<boolean> {
  let previous = await timeRound(subject, plan, histogram);
  for (let round = 1; round < warmupRoundsMax; round += 1) {
    const current = await timeRound(subject, plan, histogram);
    if (round + 1 >= warmupRoundsMin && agree(previous, current, warmupTolerance)) return true;
    previous = current;
  }
  return false;
}

async function timeRound(subject: Subject, plan: Plan, histogram: Histogram): Promise<number> {
  await subject.prepare?.();
  return timeBatches(subject, plan, histogram, plan.nowMs ?? systemNowMs);
}

/** @returns nanoseconds per operation */
function timeBatches(
  subject: Subject,
  plan: Plan,
  histogram: Histogram,
  nowMs: () => number,
): number {
  const operations = subject.operations ?? plan.operations;
  const { batch } = plan;
  let folded = 0;
  const start = nowMs();
  let last = start;
  for (let from = 0; from < operations; from += batch) {
    const to = from + batch < operations ? from + batch : operations;
    folded = (folded + subject.run(from, to)) | 0;
    const now = nowMs();
    histogram.record((now - last) * 1e6);
    last = now;
  }
  sink = (sink + folded) | 0;
  return ((last - start) * 1e6) / operations;
}
