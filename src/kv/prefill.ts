/** A sequence begins: its keys, what is there of it, room for the rest. All blocks or nothing. */

import { keyWords, noPlace, sessionHint, stopReason } from '../evict/api.ts';
import { absorb, chainBlock, stateWords } from './chain.ts';
import { publish } from './filling.ts';
import { match, matchable } from './matching.ts';
import { absorbMedia, type Media } from './media.ts';
import type { Scope } from './scope.ts';
import { field } from './sequences.ts';
import { noRoom, type State } from './state.ts';

export interface Prompt {
  readonly tokens: Int32Array | Uint32Array;
  readonly scope: Scope;
  readonly media: readonly Media[];
  /** False: what is there is not used. */
  readonly lookUp: boolean;
  /** Tokens that count as computed from the start, at most. */
  readonly computed: number;
}

/** @returns the slot, or `noRoom` */
export function beginSequence(state: State, prompt: Prompt, nowMs: number): number {
  const { blocks, sequences, blockTokens } = state;
  const slot = sequences.peek();
  if (slot === noPlace) return noRoom;
  const { length } = prompt.tokens;
  const extras = chain(state, slot, prompt);
  const wanted = Math.ceil(length / blockTokens);
  const table = sequences.table(slot, wanted);
  const limit = state.caching && prompt.lookUp ? matchable(state, length) : 0;
  const matched = match(state, limit, table);
  let idle = 0;
  for (let i = 0; i < matched; i++) {
    const place = table[i] as number;
    if (place !== noPlace && blocks.users(place) === 0) idle++;
  }
  if (wanted - matched > blocks.free + blocks.idle - idle) return noRoom;

  const full = Math.floor(length / blockTokens);
  blocks.policy.begin(slot, nowMs, length, state.keys, state.caching ? full : 0);
  for (let i = 0; i < matched; i++) {
    const place = table[i] as number;
    if (place !== noPlace) blocks.retain(place);
  }
  let hasRoom = false;
  try {
    hasRoom = blocks.makeRoom(wanted - matched);
  } finally {
    // The policy holds back what it should give, or gives what it may not.
    if (!hasRoom) undo(state, slot, table, matched, nowMs);
  }
  if (!hasRoom) return noRoom;
  sequences.open(slot);
  for (let i = matched; i < wanted; i++) table[i] = blocks.take();
  sequences.set(slot, field.length, length);
  sequences.set(slot, field.inputTokens, length);
  sequences.set(slot, field.held, wanted);
  sequences.set(slot, field.matched, matched);
  sequences.set(slot, field.sealed, full);
  sequences.set(slot, field.published, matched);
  sequences.set(slot, field.fill, length - full * blockTokens);
  sequences.set(slot, field.extras, extras);
  sequences.set(slot, field.computed, Math.max(prompt.computed, matched * blockTokens));
  if (state.caching) {
    for (let i = matched; i < full; i++) blocks.seal(table[i] as number, state.keys, i * keyWords);
  }
  let from = 0;
  while (from < matched && table[from] === noPlace) from++;
  sequences.set(slot, field.windowFrom, from);
  publish(state, slot);
  return slot;
}

/** Nothing has happened. */
function undo(
  { blocks }: State,
  slot: number,
  table: Int32Array,
  matched: number,
  nowMs: number,
): void {
  for (let i = matched - 1; i >= 0; i--) {
    const place = table[i] as number;
    if (place !== noPlace) blocks.release(place);
  }
  blocks.policy.end(slot, nowMs, 0, stopReason.unknown, sessionHint.none);
}

/**
 * Keys of all full blocks into `state.keys`; the tokens of the last, partial one into the slot's hash state.
 * @returns words absorbed for the partial one beside its tokens
 */
function chain(state: State, slot: number, { tokens, scope, media }: Prompt): number {
  if (!state.caching) return 0;
  const { blockTokens, sequences } = state;
  const { states } = sequences;
  const at = slot * stateWords;
  const full = Math.floor(tokens.length / blockTokens);
  if (state.keys.length < full * keyWords) {
    state.keys = new Int32Array(Math.max(full * keyWords, 2 * state.keys.length));
  }
  states.set(scope.start, at);
  let from = 0;
  for (let i = 0; i < full; i++) {
    const extras =
      media.length === 0 ? 0 : absorbMedia(states, at, media, from, from + blockTokens);
    chainBlock(states, at, tokens, from, blockTokens, extras, state.keys, i * keyWords);
    from += blockTokens;
  }
  if (from === tokens.length) return 0;
  const extras = absorbMedia(states, at, media, from, from + blockTokens);
  for (let i = from; i < tokens.length; i++) absorb(states, at, (tokens[i] as number) | 0);
  return extras;
}
