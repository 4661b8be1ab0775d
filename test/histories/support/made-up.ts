/** Histories that were never run: of clients that use a part which is what the specification says, and with answers changed. */

import type { Random } from '../../../src/base/random.ts';
import type { Action, Operation } from './history.ts';
import { noPart, type PartState, step } from './part-model.ts';

const part = 'made/up';

interface Running {
  readonly client: number;
  readonly calledNs: number;
  readonly wanted: Action['name'];
  /** What it was told; undefined until it has happened. */
  action: Action | undefined;
}

const names = ['put', 'append', 'putIf', 'delete', 'get', 'get', 'evict'] as const;

/** Does an operation in the current state, as a sound pool would. */
function happen(
  wanted: Action['name'],
  state: PartState,
  block: number,
  version: number,
  random: Random,
): Action {
  const current = state.blocks === undefined ? 0 : (state.version as number);
  switch (wanted) {
    case 'put':
    case 'append':
      return { name: wanted, block, version };
    case 'putIf': {
      const ifVersion = random.below(2) === 0 ? current : random.below(version);
      const granted = ifVersion === current;
      return { name: 'putIf', block, ifVersion, version: granted ? version : 'conflict' };
    }
    case 'delete':
      return { name: 'delete', removed: current === 0 ? 0 : 1 };
    case 'get':
    case 'evict':
      if (current === 0) return { name: 'get', seen: undefined };
      if (wanted === 'evict') return { name: 'evict', version: current };
      return { name: 'get', seen: { version: current, blocks: state.blocks } };
  }
}

/** What is known of an operation whose client died before it was told. */
function untold(action: Action): Action | undefined {
  if (action.name === 'get') return undefined;
  if (action.name === 'evict') return action; // written down by the pool, whoever died
  if (action.name === 'delete') return { name: 'delete', removed: undefined };
  return { ...action, version: undefined };
}

/** A history of clients that come and go at random: linearisable, since each operation happens at one moment. */
export function goodHistory(random: Random, operations: number, clients: number): Operation[] {
  const history: Operation[] = [];
  const running: (Running | undefined)[] = Array.from({ length: clients });
  let state = noPart;
  let now = 0;
  let begun = 0;
  const finish = (client: number, died: boolean): void => {
    const { action, calledNs } = running[client] as Running;
    running[client] = undefined;
    if (action === undefined) return;
    const known = died ? untold(action) : action;
    if (known === undefined) return;
    history.push({ client, part, action: known, calledNs, returnedNs: died ? Infinity : now });
  };
  while (begun < operations || running.some((each) => each !== undefined)) {
    now++;
    const client = random.below(clients);
    const own = running[client];
    if (own === undefined) {
      if (begun++ >= operations) continue;
      const wanted = names[random.below(names.length)] as Action['name'];
      running[client] = { client, calledNs: now, wanted, action: undefined };
    } else if (own.action === undefined) {
      own.action = happen(own.wanted, state, begun * clients + client, now, random);
      state = step(state, own.action) as PartState;
    } else {
      finish(client, random.below(30) === 0);
    }
  }
  return history;
}

/** The same with one answer changed, which may or may not make it impossible. */
export function changedHistory(random: Random, history: readonly Operation[]): Operation[] {
  const at = random.below(history.length);
  const seen = history.flatMap(({ action }) =>
    action.name === 'get' && action.seen !== undefined ? [action.seen] : [],
  );
  return history.map((operation, i) => {
    const { action } = operation;
    if (i !== at) return operation;
    if (action.name === 'get') {
      const other = random.below(3) === 0 ? undefined : seen[random.below(seen.length || 1)];
      return { ...operation, action: { name: 'get', seen: other } };
    }
    if (action.name === 'delete')
      return { ...operation, action: { ...action, removed: random.below(2) } };
    if (action.name === 'evict')
      return { ...operation, action: { name: 'evict', version: 1 + random.below(40) } };
    if (action.version === undefined) return operation;
    return { ...operation, action: { ...action, version: 1 + random.below(40) } };
  });
}
