/** Is a short history linearisable? Tries every order: slow, and too simple to be wrong. For judging the checker. */

import type { Operation } from './history.ts';
import { noPart, type PartState, step } from './part-model.ts';

/** True when what is left can happen from `state` on, in some order that time allows. Operations that never returned may be left out. */
export function isLinearisable(left: readonly Operation[], state: PartState = noPart): boolean {
  if (left.every(({ returnedNs }) => returnedNs === Infinity)) return true;
  return left.some((operation) => {
    // It cannot come first when another had returned before it was called.
    if (left.some((other) => other.returnedNs < operation.calledNs)) return false;
    const next = step(state, operation.action);
    return (
      next !== undefined &&
      isLinearisable(
        left.filter((other) => other !== operation),
        next,
      )
    );
  });
}
