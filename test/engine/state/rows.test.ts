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

describe('a state', () => {
  it('that was framed is taken apart again', () => {
    const parsed = parseState(state());
    expect(parsed?.shape).toEqual(shape);
    expect(parsed?.cells).toEqual(Int32Array.from({ length: tokens }, (_, index) => index));
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

  it('may have its cells in any order', () => {
    const bytes = state();
    const view = new DataView(bytes.buffer);
    view.setUint32(16, 7, true);
    view.setUint32(16 + 7 * 12, 0, true);
    const cells = parseState(bytes)?.cells;
    expect([cells?.[0], cells?.[7], cells?.[1]]).toEqual([7, 0, 1]);
  });

  it.each([
    ['another magic', changed(0, 1)],
    ['two streams', changed(8, 2)],
    ['fewer cells than it says', changed(12, tokens + 1)],
    ['very many cells', changed(12, 2 ** 32 - 1)],
    ['a position twice', changed(16, 1)],
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
