/**
 * A model from a file. Requests of the same shapes go together, side by side along the first dimension; state is put in from the slots of their sequences
 * and taken back to them.
 */

import { CenoteError, fail } from '../../../errors.ts';
import type { Pool } from '../../../pool/api.ts';
import { datatypes, type TensorInfo } from '../api.ts';
import { Arena } from './arena.ts';
import { failureOf } from './failure.ts';
import type { Program } from './program.ts';
import type { FileProgram, Row, RowResult, RowTensor } from './protocol.ts';
import {
  loadRuntime,
  openSession,
  runSession,
  type OrtRuntime,
  type OrtSession,
  type OrtTensor,
} from './runtime.ts';
import { layoutOf, Slots } from './slots.ts';
import { bytesOf, elementsOf, infoOf, viewOf } from './tensors.ts';

interface Overlap {
  /** Among the inputs of requests. */
  readonly index: number;
  readonly sizeBytes: number;
  readonly elements: number;
}

interface Parts {
  readonly runtime: OrtRuntime;
  readonly session: OrtSession;
  readonly arena: Arena;
  readonly slots: Slots;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly overlaps: readonly Overlap[];
  readonly constants: Readonly<Record<string, OrtTensor>>;
  readonly isBatched: boolean;
}

interface Sizes {
  readonly tensorBytes: number;
  readonly slots: number;
  readonly threads: number;
}

export class FileModel implements Program {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.inputs = parts.inputs;
    this.outputs = parts.outputs;
    this.#parts = parts;
  }

  /** @throws onnx_missing, engine_model_invalid, pool_full */
  static async open(program: FileProgram, pool: Pool, sizes: Sizes): Promise<FileModel> {
    const { states, constants, shapes, isBatched } = program;
    const runtime = loadRuntime();
    const session = await openSession(runtime, program.path, sizes.threads);
    const all = session.inputMetadata;
    const find = (name: string): TensorInfo => {
      const found = all.find((each) => each.name === name);
      return found === undefined ? noTensor(name, program) : infoOf(found);
    };
    const fixed = new Set([...states.map(({ input }) => input), ...Object.keys(constants)]);
    const made = new Set(states.map(({ output }) => output));
    for (const name of made) {
      if (session.outputMetadata.every((each) => each.name !== name)) noTensor(name, program);
    }
    const named = new Set([...all, ...session.outputMetadata].map(({ name }) => name));
    for (const name of Object.keys(shapes)) if (!named.has(name)) noTensor(name, program);
    const inputs = all
      .filter(({ name }) => !fixed.has(name))
      .map((each) => infoOf(each, shapes[each.name]));
    const outputs = session.outputMetadata
      .filter(({ name }) => !made.has(name))
      .map((each) => infoOf(each, shapes[each.name]));
    const single = isBatched ? inputs.find(({ shape }) => shape[0] !== -1) : undefined;
    if (single !== undefined)
      fail(
        'engine_model_invalid',
        `Input ${single.name} is ${single.shape.join('×')}: without a first dimension of any size there are no batches.`,
      );
    const overlaps = program.overlaps.map(({ input, elements }) => {
      const index = inputs.findIndex(({ name }) => name === input);
      const info = inputs[index] ?? noTensor(input, program);
      if (info.shape.length !== 2)
        fail('engine_model_invalid', `Input ${input} overlaps, so it needs two dimensions.`);
      return { index, elements, sizeBytes: elements * datatypes[info.datatype].sizeBytes };
    });
    const layout = layoutOf(
      states.map(({ input, output }) => ({ input: find(input), output })),
      overlaps.map(({ sizeBytes }) => sizeBytes),
    );
    const arena = new Arena(pool, sizes.slots * layout.sizeBytes + sizes.tensorBytes);
    const slots = new Slots(arena, layout, sizes.slots);
    const tensors = Object.entries(constants).map(([name, value]) => [
      name,
      constant(runtime, find(name), typeof value === 'number' ? [value] : value),
    ]);
    return new FileModel({
      runtime,
      session,
      arena,
      slots,
      inputs,
      outputs,
      overlaps,
      isBatched,
      constants: Object.fromEntries(tensors) as Record<string, OrtTensor>,
    });
  }

  async run(rows: readonly Row[]): Promise<readonly RowResult[]> {
    const results: RowResult[] = rows.map(() => lost);
    for (const group of this.#groups(rows)) {
      const own = group.map((index) => rows[index] as Row);
      const told = await this.#runTogether(own);
      for (const [at, index] of group.entries()) results[index] = told[at] ?? lost;
    }
    return results;
  }

  async close(): Promise<void> {
    await this.#parts.session.release();
    this.#parts.arena.close();
  }

  /** Rows that go together; those whose state is gone go nowhere. */
  #groups(rows: readonly Row[]): readonly (readonly number[])[] {
    const { slots, isBatched } = this.#parts;
    const groups = new Map<string, number[]>();
    for (const [index, { inputs, slot, start }] of rows.entries()) {
      if (slots.hasState && start) slots.begin(slot);
      if (slots.hasState && !slots.hasBegun(slot)) continue;
      const tail = inputs.map(({ shape }) => shape.slice(1).join('x')).join(' ');
      const key = isBatched ? tail : String(index);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [index]);
      else group.push(index);
    }
    return [...groups.values()];
  }

  /** What fails together is tried alone: nobody's request fails for what another's has in it. */
  async #runTogether(rows: readonly Row[]): Promise<readonly RowResult[]> {
    try {
      return await this.#runGroup(rows);
    } catch (error) {
      if (rows.length === 1) return [failureOf(error)];
    }
    const results: RowResult[] = [];
    for (const row of rows) results.push(...(await this.#runTogether([row])));
    return results;
  }

  /** Changes no state unless it succeeds. */
  async #runGroup(rows: readonly Row[]): Promise<readonly RowResult[]> {
    const { arena, session, slots, outputs, constants, isBatched } = this.#parts;
    arena.reset();
    const counts = rows.map(({ inputs }) => (isBatched ? (inputs[0]?.shape[0] ?? 1) : 1));
    const count = counts.reduce((sum, each) => sum + each, 0);
    const feeds: Record<string, OrtTensor> = { ...constants };
    const fetches: Record<string, OrtTensor | null> = {};
    const keepOverlaps = this.#feedInputs(rows, count, feeds);
    for (const state of slots.states) {
      const shape = state.input.shape.with(state.axis, count);
      const bytes = arena.take(count * state.outer * state.innerBytes);
      for (const [row, { slot }] of rows.entries()) slots.gather(state, slot, bytes, row, count);
      feeds[state.input.name] = this.#tensor(state.input, bytes, shape);
      const next = arena.take(bytes.length);
      fetches[state.output] = this.#tensor(state.input, next, shape);
    }
    for (const info of outputs) fetches[info.name] = this.#outputRoom(info, count);
    const made = await runSession(session, feeds, fetches);
    const results: RowTensor[][] = rows.map(() => []);
    for (const info of outputs) {
      const tensor = fetches[info.name] ?? made[info.name] ?? fail('engine_failed', noOutput(info));
      split(tensor, info, counts, isBatched, results);
    }
    // From here on nothing fails.
    keepOverlaps();
    for (const state of slots.states) {
      const bytes = bytesOf((fetches[state.output] as OrtTensor).data);
      for (const [row, { slot }] of rows.entries()) slots.scatter(state, slot, bytes, row, count);
    }
    return results;
  }

  /** @returns keeps the ends of what overlaps */
  #feedInputs(rows: readonly Row[], count: number, feeds: Record<string, OrtTensor>): () => void {
    const { arena, inputs, overlaps, slots, isBatched } = this.#parts;
    const ends: { readonly kept: Uint8Array; readonly end: Uint8Array }[] = [];
    for (const [index, info] of inputs.entries()) {
      const given = rows.map((row) => row.inputs[index] as RowTensor);
      const at = overlaps.findIndex((each) => each.index === index);
      const shape = [...(given[0]?.shape ?? [])];
      if (at >= 0) shape[1] = (shape[1] ?? 0) + (overlaps[at]?.elements ?? 0);
      if (isBatched) shape[0] = count;
      const bytes = arena.take(elementsOf(shape) * datatypes[info.datatype].sizeBytes);
      let to = 0;
      for (const [row, { data }] of given.entries()) {
        if (at >= 0) {
          const kept = slots.overlap((rows[row] as Row).slot, at);
          bytes.set(kept, to);
          to += kept.length;
          const end = bytes.subarray(to + data.length - kept.length, to + data.length);
          ends.push({ kept, end });
        }
        bytes.set(data, to);
        to += data.length;
      }
      feeds[info.name] = this.#tensor(info, bytes, shape);
    }
    return () => {
      for (const { kept, end } of ends) kept.set(end);
    };
  }

  /** Where the model writes an output, if its shape is known beforehand. */
  #outputRoom(info: TensorInfo, count: number): OrtTensor | null {
    const { isBatched } = this.#parts;
    const shape = isBatched ? [count, ...info.shape.slice(1)] : info.shape;
    if (shape.some((size) => size < 0)) return null;
    const bytes = this.#parts.arena.take(elementsOf(shape) * datatypes[info.datatype].sizeBytes);
    return this.#tensor(info, bytes, shape);
  }

  #tensor({ datatype }: TensorInfo, bytes: Uint8Array, shape: readonly number[]): OrtTensor {
    const { Tensor } = this.#parts.runtime;
    return new Tensor(datatypes[datatype].element, viewOf(datatype, bytes), shape);
  }
}

const lost = failureOf(
  new CenoteError('engine_worker_lost', 'The state of this sequence went with its thread.'),
);

function noTensor(name: string, { path }: FileProgram): never {
  fail('engine_model_invalid', `The model ${path} has no tensor ${name}.`);
}

function noOutput({ name }: TensorInfo): string {
  return `The model has not made its output ${name}.`;
}

/** Each row's share of an output, copied out of the memory of the batch. */
function split(
  { data, dims }: OrtTensor,
  info: TensorInfo,
  counts: readonly number[],
  isBatched: boolean,
  results: readonly RowTensor[][],
): void {
  const bytes = bytesOf(data);
  if (!isBatched) {
    results[0]?.push({ shape: dims, data: bytes.slice() });
    return;
  }
  const count = counts.reduce((sum, each) => sum + each, 0);
  if (dims[0] !== count)
    fail('engine_failed', `Output ${info.name} of ${count} rows has shape ${dims.join('×')}.`);
  let from = 0;
  for (const [row, own] of counts.entries()) {
    const to = from + (bytes.length / count) * own;
    results[row]?.push({ shape: [own, ...dims.slice(1)], data: bytes.slice(from, to) });
    from = to;
  }
}

/** @throws engine_model_invalid where there are not as many values as the input takes */
function constant(
  { Tensor }: OrtRuntime,
  { name, datatype, shape }: TensorInfo,
  values: readonly number[],
): OrtTensor {
  const sizes = shape.map((size) => (size < 0 ? values.length : size));
  if (elementsOf(sizes) !== values.length)
    fail(
      'engine_model_invalid',
      `${name} takes ${elementsOf(sizes)} values; got ${values.length}.`,
    );
  const bytes = new Uint8Array(values.length * datatypes[datatype].sizeBytes);
  const view = viewOf(datatype, bytes);
  for (const [index, value] of values.entries())
    view[index] =
      view instanceof BigInt64Array || view instanceof BigUint64Array ? BigInt(value) : value;
  return new Tensor(datatypes[datatype].element, view, sizes);
}
