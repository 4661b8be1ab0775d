/** What a part is when operations happen one at a time: the specification that histories are held against. */

import type { Action, Blocks, Seen } from './history.ts';

export interface PartState {
  /** undefined: there is no such part. */
  readonly blocks: Blocks | undefined;
  /** Version of what is there; undefined: it was never told, but is higher than `above`. */
  readonly version: number | undefined;
  /** Versions never fall: what comes is higher than this, also after a delete. */
  readonly above: number;
}

export const noPart: PartState = { blocks: undefined, version: undefined, above: 0 };

/** Equal for equal states. */
export function keyOf({ blocks, version, above }: PartState): string {
  return `${blocks?.join('.') ?? '-'}@${version ?? '?'}>${above}`;
}

/** The state after a write of these blocks; undefined when its version is not higher than all before. */
function written(
  state: PartState,
  blocks: Blocks,
  version: number | undefined,
): PartState | undefined {
  if (version === undefined) return { blocks, version, above: floorOf(state) };
  return version > floorOf(state) ? { blocks, version, above: version } : undefined;
}

/** The highest version that the state is known to have had. One that was never told is at least one higher than `above`. */
function floorOf({ blocks, version, above }: PartState): number {
  if (version !== undefined) return Math.max(version, above);
  return blocks === undefined ? above : above + 1;
}

function gone(state: PartState): PartState {
  return { blocks: undefined, version: undefined, above: floorOf(state) };
}

function looked(state: PartState, seen: Seen | undefined): PartState | undefined {
  if (seen === undefined || state.blocks === undefined) {
    return seen === undefined && state.blocks === undefined ? state : undefined;
  }
  if (seen.blocks !== undefined && !isEqual(seen.blocks, state.blocks)) return undefined;
  if (state.version !== undefined) return state.version === seen.version ? state : undefined;
  // It is told now which version the write had whose client died.
  if (seen.version <= state.above) return undefined;
  return { blocks: state.blocks, version: seen.version, above: seen.version };
}

function isEqual(a: Blocks, b: Blocks): boolean {
  return a.length === b.length && a.every((block, i) => block === b[i]);
}

/** The part that the client named was the current one; true too where that was never told and may have been. */
function mayBe(state: PartState, version: number): boolean {
  if (version === 0) return state.blocks === undefined;
  if (state.blocks === undefined) return false;
  return state.version === undefined ? version > state.above : version === state.version;
}

/** The state after an operation; undefined when it cannot have been told that in this state. */
export function step(state: PartState, action: Action): PartState | undefined {
  switch (action.name) {
    case 'put':
      return written(state, [action.block], action.version);
    case 'append':
      return written(state, [...(state.blocks ?? []), action.block], action.version);
    case 'putIf': {
      if (action.version === 'conflict') {
        // Where the version was never told it may be any but the one that was named.
        const isCurrent = state.blocks !== undefined && state.version === action.ifVersion;
        return isCurrent || (action.ifVersion === 0 && state.blocks === undefined)
          ? undefined
          : state;
      }
      if (mayBe(state, action.ifVersion)) {
        const replaced = { ...state, above: Math.max(state.above, action.ifVersion - 1) };
        return written(replaced, [action.block], action.version);
      }
      // Its client was not told: it may have been refused.
      return action.version === undefined ? state : undefined;
    }
    case 'delete': {
      const removes = state.blocks === undefined ? 0 : 1;
      return action.removed === undefined || action.removed === removes ? gone(state) : undefined;
    }
    case 'get':
      return looked(state, action.seen);
    case 'evict':
      return mayBe(state, action.version) && action.version > 0
        ? { ...gone(state), above: Math.max(floorOf(state), action.version) }
        : undefined;
  }
}
