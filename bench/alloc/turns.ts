/** Players warm up until two rounds agree, then take turns (ours, peer, ours, peer …), so that a change of the machine's mood meets all alike. */

import { agree } from '../harness/stats.ts';
import { type Member, openAll } from './cast.ts';
import type { Play, Player, Round } from './player.ts';

export interface TurnsPlan {
  /** Operations per worker in a round. */
  readonly operations: number;
  readonly rounds: number;
  readonly warmupRoundsMax: number;
  /** A player whose round takes longer gets fewer operations. */
  readonly roundMsMax: number;
  /** Operations before the first round that counts, and how long they may take. */
  readonly fillOperations: number;
  readonly fillMsMax: number;
  /** Fewest operations of a round. Default 1000. */
  readonly operationsMin?: number;
  readonly log: (line: string) => void;
}

export interface Played {
  readonly name: string;
  /** Nanoseconds per operation of each round: time of all workers together over operations of all. */
  readonly roundsNs: readonly number[];
  readonly operations: number;
  readonly failures: number;
  /** False when filling the table took too long: the rounds show less than its full load. */
  readonly filled: boolean;
  readonly settled: boolean;
}

interface Turn {
  readonly player: Player;
  readonly roundsNs: number[];
  amount: number;
  failures: number;
  filled: boolean;
  settled: boolean;
  /** Operations of a worker so far, and where its generator stood then. */
  done: number;
  readonly states: Map<number, string>;
}

const warmupTolerance = 0.03;
const fillStep = 5000;
const operationsMinDefault = 1000;

/** @throws Error when two players drew different streams */
export async function takeTurns(players: readonly Player[], plan: TurnsPlan): Promise<Played[]> {
  const turns = players.map((player): Turn => ({
    player,
    roundsNs: [],
    amount: plan.operations,
    failures: 0,
    filled: false,
    settled: false,
    done: 0,
    states: new Map(),
  }));
  for (const turn of turns) {
    await fill(turn, plan);
    await warmUp(turn, plan);
    if (!turn.settled && plan.warmupRoundsMax > 1)
      plan.log(`  ${turn.player.name}: rounds still differ after warm-up`);
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const turn of turns) turn.roundsNs.push(nsPerOperation(await playRound(turn)));
  }
  const wrong = differing(turns);
  if (wrong !== undefined) throw new Error(`${wrong} drew another stream than the others`);
  return turns.map(({ player, roundsNs, amount, failures, filled, settled }) => ({
    name: player.name,
    roundsNs,
    operations: amount,
    failures,
    filled,
    settled,
  }));
}

/** Fills the table, as far as time allows; the pace of the last step tells how many operations fit into a round. */
async function fill(turn: Turn, plan: TurnsPlan): Promise<void> {
  const { operationsMin = operationsMinDefault } = plan;
  turn.amount = Math.min(fillStep, plan.operations);
  let elapsedNs = 0;
  let pace = 0;
  do {
    const round = await playRound(turn);
    elapsedNs += round.elapsedNs;
    pace = round.elapsedNs / turn.amount;
  } while (turn.done < plan.fillOperations && elapsedNs < plan.fillMsMax * 1e6);
  turn.filled = turn.done >= plan.fillOperations;
  const fitting = Math.floor((plan.roundMsMax * 1e6) / pace / operationsMin) * operationsMin;
  turn.amount = Math.max(operationsMin, Math.min(plan.operations, fitting));
}

async function warmUp(turn: Turn, plan: TurnsPlan): Promise<void> {
  let previous = nsPerOperation(await playRound(turn));
  for (let round = 1; round < plan.warmupRoundsMax; round += 1) {
    const current = nsPerOperation(await playRound(turn));
    turn.settled = agree(previous, current, warmupTolerance);
    if (turn.settled) return;
    previous = current;
  }
}

async function playRound(turn: Turn): Promise<Round> {
  const round = await turn.player.round(turn.amount);
  turn.failures += round.failures;
  turn.done += turn.amount;
  turn.states.set(turn.done, round.states.join());
  return round;
}

export function nsPerOperation(round: Round): number {
  return round.elapsedNs / round.operations;
}

/** The first player whose generator stood elsewhere than another's after as many operations. */
function differing(turns: readonly Turn[]): string | undefined {
  const seen = new Map<number, string>();
  for (const { player, states } of turns) {
    for (const [done, state] of states) {
      if (state === '') continue;
      const other = seen.get(done);
      if (other !== undefined && other !== state) return player.name;
      seen.set(done, state);
    }
  }
  return undefined;
}

/** Opens all members, lets them take turns, and closes them. */
export async function playTogether(
  members: readonly Member[],
  play: Play,
  plan: TurnsPlan,
): Promise<Played[]> {
  const players = await openAll(members, play);
  try {
    return await takeTurns(players, plan);
  } finally {
    await Promise.all(players.map((player) => player.close()));
  }
}
