/** What is said of a session from outside: bits of an entry (entry.ts draws them), and what they tell eviction. */

import { stopReason } from '../evict/api.ts';
import { evidenceGoesOn, evidenceOver } from '../evict/entries.ts';
import { hintBit } from './entry.ts';

/** Why a model stopped. An entry holds 1 more than the place here, 0 for nothing said. */
export const stopReasons = ['end_turn', 'tool_use', 'length', 'abort'] as const;
export type StopReason = (typeof stopReasons)[number];

const endTurnCode = stopReasons.indexOf('end_turn') + 1;
const toolUseCode = stopReasons.indexOf('tool_use') + 1;

export interface SessionHints {
  readonly closed?: boolean;
  readonly toolPending?: boolean;
  readonly stop?: StopReason;
}

/** The bits with what is said now; what is not said stays. */
export function withHints(bits: number, { closed, toolPending, stop }: SessionHints): number {
  let changed = bits;
  if (closed !== undefined) changed = withBit(changed, hintBit.closed, closed);
  if (toolPending !== undefined) changed = withBit(changed, hintBit.toolPending, toolPending);
  if (stop === undefined) return changed;
  const code = stopReasons.indexOf(stop) + 1;
  return (changed & ~hintBit.stopMask) | (code << hintBit.stopShift);
}

/** As evidence of what comes; that the session is over counts before all else. */
export function evidenceOf(bits: number): number {
  if ((bits & hintBit.closed) !== 0) return evidenceOver;
  if ((bits & hintBit.toolPending) !== 0) return evidenceGoesOn;
  const code = (bits & hintBit.stopMask) >> hintBit.stopShift;
  if (code === endTurnCode) return stopReason.endTurn;
  return code === toolUseCode ? stopReason.toolUse : stopReason.unknown;
}

function withBit(bits: number, bit: number, isSet: boolean): number {
  return isSet ? bits | bit : bits & ~bit;
}
