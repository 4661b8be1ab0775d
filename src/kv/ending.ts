/** How a sequence ends, forks, and gives back what it does not use yet. */

import { keyWords, noPlace, type SessionHint, type StopReason } from '../evict/api.ts';
import { stateWords } from './chain.ts';
import { field } from './sequences.ts';
import { noRoom, type State } from './state.ts';

/** Lets go of all blocks, the last first; they stay cached. */
export function endSequence(
  state: State,
  slot: number,
  nowMs: number,
  stop: StopReason,
  hint: SessionHint,
): void {
  const { blocks, sequences } = state;
  const outputTokens = sequences.get(slot, field.length) - sequences.get(slot, field.inputTokens);
  blocks.policy.end(slot, nowMs, outputTokens, stop, hint);
  const table = sequences.table(slot, 0);
  const from = sequences.get(slot, field.windowFrom);
  for (let i = sequences.get(slot, field.held) - 1; i >= from; i--) {
    const place = table[i] as number;
    if (place !== noPlace) blocks.release(place);
  }
  sequences.close(slot);
}

/** Makes what the sequence itself wrote unknown to others, from its end up to the first block that others share or have extended. */
export function withdraw({ blocks, sequences }: State, slot: number): void {
  const table = sequences.table(slot, 0);
  const from = Math.max(sequences.get(slot, field.matched), sequences.get(slot, field.windowFrom));
  for (let i = sequences.get(slot, field.sealed) - 1; i >= from; i--) {
    if (!blocks.withdraw(table[i] as number)) return;
  }
}

/** A second sequence with the same tokens so far: it shares all blocks, a partial one until either writes to it. */
export function forkSequence(state: State, slot: number, nowMs: number): number {
  const { blocks, sequences, blockTokens } = state;
  const fork = sequences.peek();
  if (fork === noPlace) return noRoom;
  const length = sequences.get(slot, field.length);
  const held = Math.ceil(length / blockTokens);
  const table = sequences.table(slot, 0);
  const copy = sequences.table(fork, held);
  const sealed = state.caching ? sequences.get(slot, field.sealed) : 0;
  if (state.keys.length < sealed * keyWords) state.keys = new Int32Array(2 * sealed * keyWords);
  for (let i = 0; i < held; i++) {
    const place = table[i] as number;
    copy[i] = place;
    if (i >= sealed) continue;
    // What has left the window is not known by name any more.
    if (place === noPlace) state.keys.fill(0, i * keyWords, (i + 1) * keyWords);
    else blocks.keyOf(place, state.keys, i * keyWords);
  }
  blocks.policy.begin(fork, nowMs, length, state.keys, sealed);
  for (let i = 0; i < held; i++) {
    if (copy[i] !== noPlace) blocks.retain(copy[i] as number);
  }
  sequences.open(fork);
  for (const name of copied) sequences.set(fork, name, sequences.get(slot, name));
  sequences.set(fork, field.held, held);
  sequences.set(fork, field.inputTokens, length);
  sequences.set(fork, field.matched, sequences.get(slot, field.sealed));
  const at = slot * stateWords;
  sequences.states.copyWithin(fork * stateWords, at, at + stateWords);
  return fork;
}

const copied = [
  field.length,
  field.sealed,
  field.published,
  field.computed,
  field.windowFrom,
  field.fill,
  field.extras,
  field.priority,
];

/** Has the table reach so many tokens further. @returns false when there is no room: nothing has changed */
export function reserveTokens(state: State, slot: number, tokens: number): boolean {
  const { blocks, sequences, blockTokens } = state;
  const wanted = Math.ceil((sequences.get(slot, field.length) + tokens) / blockTokens);
  const missing = wanted - sequences.get(slot, field.held);
  if (missing > blocks.free + blocks.idle || !blocks.makeRoom(missing)) return false;
  for (let i = 0; i < missing; i++) sequences.push(slot, blocks.take());
  return true;
}

/** Takes back what is reserved and not written yet. @returns blocks */
export function trimReserved({ blocks, sequences, blockTokens }: State, slot: number): number {
  const held = sequences.get(slot, field.held);
  const used = Math.ceil(sequences.get(slot, field.length) / blockTokens);
  const table = sequences.table(slot, 0);
  for (let i = held - 1; i >= used; i--) blocks.release(table[i] as number);
  sequences.set(slot, field.held, Math.min(held, used));
  return held - used;
}
