/**
 * Is a history linearisable: is there for each operation a moment between its call and its return at which it may have happened, all at once,
 * so that each client was told what it would have been told had they come one after the other?
 *
 * The search of Wing and Gong in the form of Lowe ("just-in-time linearisation"), which goes through calls and returns in the order of
 * time. It keeps all *configurations*: a state, and which of the operations under way have happened in it. At a return, operations under way
 * happen in every order that the specification allows, until the one that returns has happened; configurations in which it cannot
 * are dropped. When none is left, the history is not linearisable. Configurations that are equal are one, so that the work grows with
 * what is under way at a time and not with the length of the history. Clients that died have operations under way for ever.
 */

import { describeOperation, type Operation } from './history.ts';
import { keyOf, noPart, type PartState, step } from './part-model.ts';

export type Verdict =
  | { readonly verdict: 'linearisable'; readonly configurations: number }
  /** `why`: the operation that cannot have happened, what was under way, and the states that were possible. */
  | { readonly verdict: 'not linearisable'; readonly why: string }
  /** There are more configurations than may be looked at. */
  | { readonly verdict: 'undecided'; readonly why: string };

/** Configurations at a time. */
const configurationsMax = 200_000;
/** Operations under way at a time: bits of a word. */
const underWayMax = 30;

interface Configuration {
  /** Bit n: the operation at place n has happened. */
  readonly happened: number;
  readonly state: PartState;
}

type Configurations = Map<string, Configuration>;

interface Moment {
  readonly atNs: number;
  readonly isCall: boolean;
  readonly operation: Operation;
}

/** Calls come before returns of the same nanosecond: what touches, overlaps. */
function momentsOf(history: readonly Operation[]): Moment[] {
  const moments: Moment[] = [];
  for (const operation of history) {
    moments.push({ atNs: operation.calledNs, isCall: true, operation });
    if (operation.returnedNs !== Infinity)
      moments.push({ atNs: operation.returnedNs, isCall: false, operation });
  }
  return moments.sort((a, b) => a.atNs - b.atNs || Number(b.isCall) - Number(a.isCall));
}

function add(to: Configurations, configuration: Configuration): boolean {
  const key = `${configuration.happened} ${keyOf(configuration.state)}`;
  if (to.has(key)) return false;
  to.set(key, configuration);
  return true;
}

/** All configurations that those lead to when operations under way happen, `until` last. @returns undefined when there are too many */
function advanced(
  from: Configurations,
  places: readonly (Operation | undefined)[],
  until: number,
): Configurations | undefined {
  const reached: Configurations = new Map();
  const known: Configurations = new Map(from);
  const queue = [...from.values()];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if ((next.happened & (1 << until)) !== 0) {
      add(reached, { happened: next.happened & ~(1 << until), state: next.state });
      continue;
    }
    for (const [place, operation] of places.entries()) {
      if (operation === undefined || (next.happened & (1 << place)) !== 0) continue;
      const state = step(next.state, operation.action);
      if (state === undefined) continue;
      const configuration = { happened: next.happened | (1 << place), state };
      if (add(known, configuration)) queue.push(configuration);
    }
    if (known.size > configurationsMax) return undefined;
  }
  return reached;
}

/**
 * Judges the history of one part. What someone who died wrote and nobody ever read has most likely never happened: that is tried first, since
 * otherwise each such write doubles the configurations for good.
 */
export function checkPart(history: readonly Operation[]): Verdict {
  const read = new Set(
    history.flatMap(({ action }) => (action.name === 'get' ? (action.seen?.blocks ?? []) : [])),
  );
  const mattering = history.filter(
    ({ returnedNs, action }) =>
      returnedNs !== Infinity || !('block' in action) || read.has(action.block),
  );
  if (mattering.length < history.length) {
    const verdict = search(mattering);
    if (verdict.verdict === 'linearisable') return verdict;
  }
  return search(history);
}

function search(history: readonly Operation[]): Verdict {
  const places: (Operation | undefined)[] = [];
  let configurations: Configurations = new Map();
  add(configurations, { happened: 0, state: noPart });
  let most = 1;
  for (const { isCall, operation } of momentsOf(history)) {
    if (isCall) {
      const free = places.indexOf(undefined);
      const place = free < 0 ? places.length : free;
      if (place > underWayMax)
        return { verdict: 'undecided', why: `more than ${underWayMax} operations under way` };
      places[place] = operation;
      continue;
    }
    const place = places.indexOf(operation);
    const next = advanced(configurations, places, place);
    if (next === undefined)
      return { verdict: 'undecided', why: `more than ${configurationsMax} configurations` };
    if (next.size === 0)
      return { verdict: 'not linearisable', why: explain(operation, places, configurations) };
    configurations = next;
    most = Math.max(most, next.size);
    places[place] = undefined;
  }
  return { verdict: 'linearisable', configurations: most };
}

function explain(
  operation: Operation,
  places: readonly (Operation | undefined)[],
  configurations: Configurations,
): string {
  const others = places.filter((other) => other !== undefined && other !== operation);
  const states = [...configurations.values()].slice(0, 10).map(({ state }) => keyOf(state));
  return [
    `cannot have happened: ${describeOperation(operation)}`,
    ...others.map((other) => `under way: ${describeOperation(other as Operation)}`),
    `the part was one of: ${states.join(' | ')}`,
  ].join('\n');
}
