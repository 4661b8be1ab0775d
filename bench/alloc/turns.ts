/** Players warm up until two rounds agree, then take turns (ours, peer, ours, peer …), so that a change of the machine's mood meets all alike. */

import { agree } from '../harness/stats.ts';
import { type Member, openAll } from './cast.ts';
import { nextWord } from './house.ts';
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

/** The order of turns is another in each round, and the same in each run: nobody is always next to who leaves garbage to collect. */
const orderSeed = 20_261;

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
  let state = orderSeed;
  for (let round = 0; round < plan.rounds; round += 1) {
    state = shuffle(turns, state);
    for (const turn of turns) turn.roundsNs.push(nsPerOperation(await playRound(turn)));
  }
  turns.sort((a, b) => players.indexOf(a.player) - players.indexOf(b.player));
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

/** @returns the state of the generator after it */
function shuffle(turns: Turn[], seed: number): number {
  let state = seed;
  for (let last = turns.length - 1; last > 0; last -= 1) {
    state = nextWord(state);
    const other = (state & 0x7fffffff) % (last + 1);
    [turns[last], turns[other]] = [turns[other] as Turn, turns[last] as Turn];
  }
  return state;
}

/** Fills the table, as far as time allows, in steps of all players alike: their generators are compared there. */
async function fill(turn: Turn, plan: TurnsPlan): Promise<void> {
  turn.amount = Math.min(fillStep, plan.operations);
  let elapsedNs = 0;
  let last: Round;
  do {
    const round = await playRound(turn);
    elapsedNs += round.elapsedNs;
    last = round;
  } while (turn.done < plan.fillOperations && elapsedNs < plan.fillMsMax * 1e6);
  fit(turn, last, plan);
  turn.filled = turn.done >= plan.fillOperations;
}

/** Rounds get longer as code is optimised and memory is there: a short one tells how fast caches are filled after the others had them. */
async function warmUp(turn: Turn, plan: TurnsPlan): Promise<void> {
  let previous = 0;
  for (let round = 0; round < plan.warmupRoundsMax && !turn.settled; round += 1) {
    const played = await playRound(turn);
    const amount = fit(turn, played, plan);
    const current = nsPerOperation(played);
    turn.settled = turn.amount < 2 * amount && agree(previous, current, warmupTolerance);
    previous = current;
  }
}

/**
 * The pace of a round tells how many operations fit into the next.
 * @returns how many it had
 */
function fit(turn: Turn, round: Round, plan: TurnsPlan): number {
  const { operationsMin = operationsMinDefault } = plan;
  const before = turn.amount;
  const pace = round.elapsedNs / before;
  const fitting = Math.floor((plan.roundMsMax * 1e6) / pace / operationsMin) * operationsMin;
  turn.amount = Math.max(operationsMin, Math.min(plan.operations, fitting));
  return before;
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
