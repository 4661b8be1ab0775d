/** Tables that grow: the same content in a larger array. */

type Table = Int32Array | Uint8Array | Float64Array | Float32Array;

export function grown<T extends Table>(table: T, length: number): T {
  const larger = new (table.constructor as new (length: number) => T)(length);
  larger.set(table);
  return larger;
}
