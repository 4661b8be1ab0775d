/** State of sequences, in memory of the pool: per slot a row of each tensor that goes from request to request, and the end of the last input. */

import { fail } from '../../../errors.ts';
import { datatypes, type TensorInfo } from '../api.ts';
import { aligned, type Arena } from './arena.ts';
import { elementsOf } from './tensors.ts';

/** Which dimension is the batch: the one that may be any. @throws engine_model_invalid */
function batchAxis({ name, shape }: TensorInfo): number {
  const axis = shape.indexOf(-1);
  if (axis >= 0 && axis === shape.lastIndexOf(-1)) return axis;
  return fail(
    'engine_model_invalid',
    `State ${name} needs one dimension that may be any, the batch; it is ${shape.join('×')}.`,
  );
}

/** A tensor of state: `outer` pieces of `innerBytes` per sequence, the sequences of a batch side by side. */
export interface StateTensor {
  readonly input: TensorInfo;
  readonly output: string;
  readonly axis: number;
  readonly outer: number;
  readonly innerBytes: number;
  /** Within a slot. */
  readonly from: number;
}

/** What a slot holds, and where. */
export interface SlotLayout {
  readonly states: readonly StateTensor[];
  readonly overlaps: readonly { readonly from: number; readonly sizeBytes: number }[];
  /** A multiple of 64. */
  readonly sizeBytes: number;
}

/** @param overlapBytes what is kept of inputs. @throws engine_model_invalid */
export function layoutOf(
  states: readonly { readonly input: TensorInfo; readonly output: string }[],
  overlapBytes: readonly number[],
): SlotLayout {
  let used = 0;
  const place = (sizeBytes: number): number => {
    const at = used;
    used += aligned(sizeBytes);
    return at;
  };
  const placed = states.map(({ input, output }) => {
    const axis = batchAxis(input);
    const { sizeBytes } = datatypes[input.datatype];
    const outer = elementsOf(input.shape.slice(0, axis));
    const innerBytes = elementsOf(input.shape.slice(axis + 1)) * sizeBytes;
    return { input, output, axis, outer, innerBytes, from: place(outer * innerBytes) };
  });
  const overlaps = overlapBytes.map((sizeBytes) => ({ from: place(sizeBytes), sizeBytes }));
  return { states: placed, overlaps, sizeBytes: used };
}

export class Slots {
  readonly #layout: SlotLayout;
  readonly #memory: readonly Uint8Array[];
  readonly #begun: boolean[];

  constructor(arena: Arena, layout: SlotLayout, slots: number) {
    this.#layout = layout;
    const count = layout.sizeBytes === 0 ? 0 : slots;
    this.#memory = Array.from({ length: count }, () => arena.take(layout.sizeBytes));
    this.#begun = this.#memory.map(() => false);
    arena.keep();
  }

  get states(): readonly StateTensor[] {
    return this.#layout.states;
  }

  get hasState(): boolean {
    return this.#memory.length > 0;
  }

  begin(slot: number): void {
    this.#slot(slot).fill(0);
    this.#begun[slot] = true;
  }

  /** Whether the sequence of the slot has begun with this thread. */
  hasBegun(slot: number): boolean {
    return this.#begun[slot] === true;
  }

  /** What the step before has left of an input. */
  overlap(slot: number, index: number): Uint8Array {
    const { from, sizeBytes } = this.#layout.overlaps[index] as SlotLayout['overlaps'][number];
    return this.#slot(slot).subarray(from, from + sizeBytes);
  }

  /** Row `row` of a batch of `rows`, from the slot into `tensor`. */
  gather(state: StateTensor, slot: number, tensor: Uint8Array, row: number, rows: number): void {
    const { outer, innerBytes, from } = state;
    const own = this.#slot(slot);
    for (let i = 0; i < outer; i++) {
      const at = from + i * innerBytes;
      tensor.set(own.subarray(at, at + innerBytes), (i * rows + row) * innerBytes);
    }
  }

  /** … and back. */
  scatter(state: StateTensor, slot: number, tensor: Uint8Array, row: number, rows: number): void {
    const { outer, innerBytes, from } = state;
    const own = this.#slot(slot);
    for (let i = 0; i < outer; i++) {
      const at = (i * rows + row) * innerBytes;
      own.set(tensor.subarray(at, at + innerBytes), from + i * innerBytes);
    }
  }

  #slot(slot: number): Uint8Array {
    return this.#memory[slot] ?? fail('engine_failed', `There is no slot ${slot}.`);
  }
}
