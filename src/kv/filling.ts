/** How a sequence's blocks fill: token by token, sealed when full, found by others once computed. */

import { keyWords, noPlace } from '../evict/api.ts';
import { absorb, finishBlock, stateWords } from './chain.ts';
import { field } from './sequences.ts';
import { noRoom, type State, step } from './state.ts';

/** The blocks that the last `copied` step named. */
export interface Copy {
  from: number;
  to: number;
}

const key = new Int32Array(keyWords);

/** Sees to a block of the sequence's own that has room for one more token. */
export function openTail(state: State, slot: number, copy: Copy): number {
  const { blocks, sequences } = state;
  const tail = sequences.get(slot, field.sealed);
  if (sequences.get(slot, field.fill) === 0) {
    if (tail < sequences.get(slot, field.held)) return step.written;
    if (!blocks.makeRoom(1)) return noRoom;
    sequences.push(slot, blocks.take());
    return step.grew;
  }
  const table = sequences.table(slot, 0);
  const from = table[tail] as number;
  if (blocks.users(from) === 1) return step.written;
  if (!blocks.makeRoom(1)) return noRoom;
  const to = blocks.take();
  table[tail] = to;
  blocks.release(from);
  copy.from = from;
  copy.to = to;
  return step.copied;
}

/** Appends tokens, all or none. @returns one of `step`, `copied` before `grew`, or `noRoom` */
export function appendTokens(
  state: State,
  slot: number,
  tokens: Int32Array | Uint32Array,
  copy: Copy,
): number {
  const { blocks, sequences, blockTokens } = state;
  const length = sequences.get(slot, field.length);
  const held = sequences.get(slot, field.held);
  const missing = Math.max(0, Math.ceil((length + tokens.length) / blockTokens) - held);
  const tail = sequences.table(slot, 0)[sequences.get(slot, field.sealed)] as number;
  const shared = sequences.get(slot, field.fill) > 0 && blocks.users(tail) > 1 ? 1 : 0;
  if (missing + shared > blocks.free + blocks.idle) return noRoom;
  if (!blocks.makeRoom(missing + shared)) return noRoom;
  const first = openTail(state, slot, copy);
  while (sequences.get(slot, field.held) < held + missing) sequences.push(slot, blocks.take());
  for (let i = 0; i < tokens.length; i++) write(state, slot, (tokens[i] as number) | 0);
  publish(state, slot);
  if (first === step.copied || missing === 0) return first;
  return step.grew;
}

/** Writes one token into the tail that `openTail` saw to. @returns true when the block is full now */
export function write(state: State, slot: number, token: number): boolean {
  const { sequences, blockTokens } = state;
  const fill = sequences.get(slot, field.fill) + 1;
  sequences.set(slot, field.length, sequences.get(slot, field.length) + 1);
  if (state.caching) absorb(sequences.states, slot * stateWords, token);
  if (fill < blockTokens) {
    sequences.set(slot, field.fill, fill);
    return false;
  }
  sequences.set(slot, field.fill, 0);
  seal(state, slot);
  return true;
}

function seal(state: State, slot: number): void {
  const { blocks, sequences } = state;
  const sealed = sequences.get(slot, field.sealed);
  sequences.set(slot, field.sealed, sealed + 1);
  if (!state.caching) return;
  const extras = sequences.get(slot, field.extras);
  finishBlock(sequences.states, slot * stateWords, extras, key, 0);
  sequences.set(slot, field.extras, 0);
  blocks.seal(sequences.table(slot, 0)[sealed] as number, key, 0);
  blocks.policy.extend(slot, key[0] as number, key[1] as number);
}

/** Lets others find the full blocks that are computed. */
export function publish(state: State, slot: number): void {
  const { blocks, sequences, blockTokens } = state;
  if (!state.caching) return;
  let depth = sequences.get(slot, field.published);
  const computed = Math.floor(sequences.get(slot, field.computed) / blockTokens);
  const end = Math.min(sequences.get(slot, field.sealed), computed);
  if (depth >= end) return;
  const table = sequences.table(slot, 0);
  let before = depth === 0 ? noPlace : (table[depth - 1] as number);
  if (before !== noPlace) before = blocks.holder(before);
  for (; depth < end; depth++) {
    before = blocks.publish(table[depth] as number, before, slot, depth);
  }
  sequences.set(slot, field.published, end);
}
