/**
 * The state of one sequence as llama.cpp 0.5.0 gives and takes it (flash attention on, so that values lie token by token like keys):
 *
 * ```
 * u32 magic │ u32 sequence │ u32 streams (1) │ u32 cells │ { u32 position │ u32 count (1) │ u32 sequence } per cell │ u32 transposed (0) │ u32 layers
 *   { u32 type │ u64 row bytes │ a row per cell } for the keys of each layer, then the same for the values of each
 * ```
 * A cell is a token, and they lie in the order of their positions (`llama/context.ts`). So what 16 tokens have is a piece of 16 rows from each of these arrays, and a sequence is put together from pieces by copying.
 */

/** Row arrays of a model, keys of all layers and then values of all. */
export interface RowShape {
  /** `ggml_type` of each array. */
  readonly types: readonly number[];
  readonly rowBytes: readonly number[];
  /** All rows of a token. */
  readonly tokenBytes: number;
}

const magic = 0xaf14_3cd8;
const headBytes = 16;
const cellBytes = 12;
const middleBytes = 8;
const arrayHeadBytes = 12;

function arraysAt(tokens: number): number {
  return headBytes + tokens * cellBytes + middleBytes;
}

export function stateBytes(shape: RowShape, tokens: number): number {
  return arraysAt(tokens) + shape.types.length * arrayHeadBytes + tokens * shape.tokenBytes;
}

/** Where the rows of each array begin in the state of so many tokens. */
export function rowOffsets(shape: RowShape, tokens: number): number[] {
  let at = arraysAt(tokens);
  return shape.rowBytes.map((bytes) => {
    const rows = at + arrayHeadBytes;
    at = rows + tokens * bytes;
    return rows;
  });
}

/** Writes all but the rows. */
export function writeFrame(shape: RowShape, tokens: number, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const words = [magic, 0, 1, tokens];
  words.forEach((word, index) => view.setUint32(4 * index, word, true));
  for (let token = 0; token < tokens; token++) {
    const at = headBytes + token * cellBytes;
    view.setUint32(at, token, true);
    view.setUint32(at + 4, 1, true);
    view.setUint32(at + 8, 0, true);
  }
  const middle = headBytes + tokens * cellBytes;
  view.setUint32(middle, 0, true);
  view.setUint32(middle + 4, shape.types.length / 2, true);
  rowOffsets(shape, tokens).forEach((rows, index) => {
    view.setUint32(rows - arrayHeadBytes, shape.types[index] as number, true);
    view.setBigUint64(rows - 8, BigInt(shape.rowBytes[index] as number), true);
  });
}

/** A state as it was taken apart. */
export interface ParsedState {
  readonly shape: RowShape;
  readonly tokens: number;
}

/** Takes a state of tokens from position 0 apart; undefined when it is of another form, and cannot be cut. */
export function parseState(state: Uint8Array): ParsedState | undefined {
  if (state.length < arraysAt(0)) return undefined;
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  const tokens = view.getUint32(12, true);
  if (tokens * cellBytes > state.length - arraysAt(0)) return undefined;
  const shape = isInOrder(view, tokens) ? shapeOf(view, tokens) : undefined;
  return shape && { shape, tokens };
}

export function areAlike(a: RowShape, b: RowShape): boolean {
  return (
    a.types.length === b.types.length &&
    a.types.every((type, index) => type === b.types[index]) &&
    a.rowBytes.every((bytes, index) => bytes === b.rowBytes[index])
  );
}

function shapeOf(view: DataView, tokens: number): RowShape | undefined {
  let at = arraysAt(tokens);
  if (view.getUint32(at - 8, true) !== 0) return undefined;
  const arrays = view.getUint32(at - 4, true) * 2;
  const types: number[] = [];
  const rowBytes: number[] = [];
  for (let index = 0; index < arrays; index++) {
    if (at + arrayHeadBytes > view.byteLength) return undefined;
    types.push(view.getUint32(at, true));
    const bytes = Number(view.getBigUint64(at + 4, true));
    if (!(bytes > 0 && bytes <= view.byteLength)) return undefined;
    rowBytes.push(bytes);
    at += arrayHeadBytes + tokens * bytes;
  }
  const tokenBytes = rowBytes.reduce((sum, bytes) => sum + bytes, 0);
  return at === view.byteLength && tokenBytes > 0 ? { types, rowBytes, tokenBytes } : undefined;
}

/** One stream, one sequence per cell, positions from 0. */
function isInOrder(view: DataView, tokens: number): boolean {
  if (view.getUint32(0, true) !== magic || view.getUint32(8, true) !== 1) return false;
  for (let token = 0; token < tokens; token++) {
    const at = headBytes + token * cellBytes;
    if (view.getUint32(at, true) !== token || view.getUint32(at + 4, true) !== 1) return false;
  }
  return true;
}
