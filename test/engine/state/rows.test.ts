/** States are taken apart only when they are of the form that is known. */

import { describe, expect, it } from 'vitest';
import {
  parseState,
  rowOffsets,
  type RowShape,
  stateBytes,
  writeFrame,
} from '../../../src/engine/state/rows.ts';

const shape: RowShape = { types: [1, 1, 1, 1], rowBytes: [8, 16, 8, 16], tokenBytes: 48 };
const tokens = 20;

function state(): Uint8Array {
  const bytes = new Uint8Array(stateBytes(shape, tokens));
  writeFrame(shape, tokens, bytes);
  return bytes;
}

function changed(at: number, value: number): Uint8Array {
  const bytes = state();
  new DataView(bytes.buffer).setUint32(at, value, true);
  return bytes;
}

function swapped(): Uint8Array {
  const bytes = changed(16, 7);
  new DataView(bytes.buffer).setUint32(16 + 7 * 12, 0, true);
  return bytes;
}

describe('a state', () => {
  it('that was framed is taken apart again', () => {
    expect(parseState(state())).toEqual({ shape, tokens });
  });

  it('has its rows one array after the other', () => {
    const first = 16 + tokens * 12 + 8 + 12;
    expect(rowOffsets(shape, tokens)).toEqual([
      first,
      first + 8 * tokens + 12,
      first + 24 * tokens + 24,
      first + 32 * tokens + 36,
    ]);
  });

  it.each([
    ['another magic', changed(0, 1)],
    ['two streams', changed(8, 2)],
    ['fewer cells than it says', changed(12, tokens + 1)],
    ['very many cells', changed(12, 2 ** 32 - 1)],
    ['a position twice', changed(16, 1)],
    ['positions in another order', swapped()],
    ['a position that is too high', changed(16, tokens)],
    ['a cell of two sequences', changed(20, 2)],
    ['transposed values', changed(16 + tokens * 12, 1)],
    ['more layers', changed(16 + tokens * 12 + 4, 3)],
    ['very many layers', changed(16 + tokens * 12 + 4, 2 ** 31)],
    ['longer rows', changed(16 + tokens * 12 + 12, 9)],
    ['rows of no length', changed(16 + tokens * 12 + 12, 0)],
    ['a byte too few', state().subarray(0, -1)],
    ['a byte too many', Uint8Array.from([...state(), 0])],
    ['no bytes', new Uint8Array(0)],
  ])('with %s is not', (_, bytes) => {
    expect(parseState(bytes)).toBeUndefined();
  });
});
