/**
 * Where the workers of a round wait for each other, in shared memory.
 *
 * ```
 * word 0 arrived │ 1 turn
 * ```
 */

export const gateWords = 2;

/** Waits until all workers are here. */
export function meetAt(gate: Int32Array, workers: number): void {
  const turn = Atomics.load(gate, 1);
  if (Atomics.add(gate, 0, 1) + 1 < workers) {
    Atomics.wait(gate, 1, turn);
    return;
  }
  Atomics.store(gate, 0, 0);
  Atomics.add(gate, 1, 1);
  Atomics.notify(gate, 1);
}
