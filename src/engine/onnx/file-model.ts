/** A model from a file, behind the batcher that suits it. */

import { CenoteError, fail } from '../../errors.ts';
import type { Pool } from '../../pool/api.ts';
import type { SequenceOptions } from '../batch/api.ts';
import { DynamicBatcher } from '../batch/dynamic-batcher.ts';
import { SequenceBatcher } from '../batch/sequence-batcher.ts';
import {
  datatypes,
  type InferModel,
  type InferOptions,
  type InferStats,
  type TensorInfo,
  type TensorValue,
} from './api.ts';
import type { ModelSettings } from './settings.ts';
import { errorOf, ThreadHost, type ProgramInfo } from './thread-host.ts';
import type { Row, RowResult, RowTensor } from './thread/protocol.ts';
import { elementsOf } from './thread/tensors.ts';

type Tensors = readonly RowTensor[];

interface Line {
  submit(inputs: Tensors, rows: number, options: InferOptions): Promise<Tensors>;
  stats(): InferStats;
  close(): Promise<void>;
}

/** @throws onnx_missing, engine_model_invalid, invalid_argument, pool_full */
export async function openFileModel(
  name: string,
  settings: ModelSettings,
  pool: Pool,
): Promise<InferModel> {
  if (pool.path === undefined)
    fail(
      'invalid_argument',
      'ONNX Runtime reads and writes mapped pools only: open one with a path.',
    );
  const { file, states, overlaps, constants, shapes, batching, instances } = settings;
  const { threads, tensorBytes, batchMax, candidatesMax } = settings;
  const isSequence = batching === 'direct' || batching === 'oldest';
  const isBatched = batching !== 'none';
  const program = {
    kind: 'file',
    path: file,
    states,
    overlaps,
    constants,
    shapes,
    isBatched,
  } as const;
  const slots = batching === 'direct' ? batchMax : batching === 'oldest' ? candidatesMax : 0;
  const setup = { handle: pool.handle, program, tensorBytes, slots, threads };
  const hosts = Array.from({ length: instances }, () => new ThreadHost(setup, pool));
  try {
    const [info] = await Promise.all(hosts.map((host) => host.info()));
    const line = isSequence ? sequenceLine(settings, hosts) : dynamicLine(settings, hosts);
    const model = { name, isSequence, rowsMax: isSequence ? 1 : isBatched ? batchMax : 0 };
    return new FileInferModel(model, info as ProgramInfo, line, hosts);
  } catch (error) {
    await Promise.all(hosts.map((host) => host.close()));
    throw error;
  }
}

class FileInferModel implements InferModel {
  readonly name: string;
  readonly platform = 'onnxruntime_onnx';
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly isSequence: boolean;
  readonly #rowsMax: number;
  readonly #line: Line;
  readonly #hosts: readonly ThreadHost[];

  constructor(
    { name, isSequence, rowsMax }: { name: string; isSequence: boolean; rowsMax: number },
    { inputs, outputs }: ProgramInfo,
    line: Line,
    hosts: readonly ThreadHost[],
  ) {
    this.name = name;
    this.isSequence = isSequence;
    this.inputs = inputs;
    this.outputs = outputs;
    this.#rowsMax = rowsMax;
    this.#line = line;
    this.#hosts = hosts;
  }

  async infer(
    inputs: readonly TensorValue[],
    options: InferOptions,
  ): Promise<readonly TensorValue[]> {
    this.#check(inputs);
    const rows = this.#rowsOf(inputs);
    const tensors = inputs.map(({ shape, data }) => ({ shape, data }));
    const made = await this.#line.submit(tensors, rows, options);
    return this.outputs.map(({ name, datatype }, index) => {
      const tensor = made[index] ?? fail('engine_failed', `The model has not made ${name}.`);
      return { name, datatype, ...tensor };
    });
  }

  stats(): InferStats {
    return this.#line.stats();
  }

  async close(): Promise<void> {
    await this.#line.close();
    await Promise.all(this.#hosts.map((host) => host.close()));
  }

  /** The memory of a batch holds what others have had in it: no tensor may be shorter than it says. @throws invalid_argument */
  #check(inputs: readonly TensorValue[]): void {
    if (inputs.length !== this.inputs.length)
      fail(
        'invalid_argument',
        `The model takes ${this.inputs.length} inputs; got ${inputs.length}.`,
      );
    for (const [index, { name, datatype, shape, data }] of inputs.entries()) {
      const info = this.inputs[index] as TensorInfo;
      const fits =
        name === info.name &&
        datatype === info.datatype &&
        shape.length === info.shape.length &&
        shape.every((size, i) => size > 0 && (info.shape[i] === -1 || info.shape[i] === size)) &&
        data.length === elementsOf(shape) * datatypes[datatype].sizeBytes;
      if (!fits)
        fail(
          'invalid_argument',
          `Input ${index} is ${info.name}, ${info.datatype} of [${info.shape.join(',')}].`,
        );
    }
  }

  /** How much of a batch the request takes. @throws invalid_argument */
  #rowsOf(inputs: readonly TensorValue[]): number {
    const most = this.#rowsMax;
    if (most === 0) return 1;
    const counts = new Set(inputs.map(({ shape }) => shape[0] ?? 0));
    const [rows = 1] = counts;
    if (counts.size > 1 || rows < 1 || rows > most)
      fail(
        'invalid_argument',
        `The first dimension is the batch, the same for all inputs, from 1 to ${most}; got ${[...counts].join(', ')}.`,
      );
    return rows;
  }
}

function outcomes(results: readonly RowResult[]): (Tensors | Error)[] {
  return results.map((result) => ('code' in result ? errorOf(result) : result));
}

function dynamicLine(settings: ModelSettings, hosts: readonly ThreadHost[]): Line {
  const { batching, batchMax, queueDelayMs, priorityLevels } = settings;
  const batcher = new DynamicBatcher<Tensors, Tensors>({
    batchMax: batching === 'none' ? 1 : batchMax,
    queueDelayMs,
    priorityLevels,
    instances: hosts.length,
    defaultQueuePolicy: { allowTimeoutOverride: true },
    async execute(batch, instance) {
      const rows = batch.map(({ input }) => ({ inputs: input, slot: -1, start: false }));
      return outcomes(await (hosts[instance] as ThreadHost).run(rows));
    },
  });
  return {
    submit: (inputs, rows, options) => batcher.submit(inputs, { ...options, rows }),
    stats: () => ({ ...batcher.stats(), live: 0 }),
    close: () => batcher.close(),
  };
}

function sequenceLine(settings: ModelSettings, hosts: readonly ThreadHost[]): Line {
  const { batching, batchMax, queueDelayMs, candidatesMax, idleMs } = settings;
  const strategy: SequenceOptions<Tensors, Tensors, undefined>['strategy'] =
    batching === 'direct'
      ? { kind: 'direct', queueDelayMs }
      : { kind: 'oldest', candidatesMax, queueDelayMs };
  const batcher = new SequenceBatcher<Tensors, Tensors>({
    strategy,
    batchMax,
    idleMs,
    instances: hosts.length,
    async execute(batch, instance) {
      const ready = batch.flatMap((step): Row[] =>
        step.ready ? [{ inputs: step.input, slot: step.slot, start: step.start }] : [],
      );
      const told = outcomes(await (hosts[instance] as ThreadHost).run(ready)).values();
      return batch.map((step) => (step.ready ? (told.next().value as Tensors | Error) : []));
    },
  });
  return {
    async submit(inputs, _rows, { sequence, ...options }) {
      if (sequence === undefined) throw needsSequence();
      return batcher.submit(inputs, { ...options, ...sequence });
    },
    stats: () => batcher.stats(),
    close: () => batcher.close(),
  };
}

function needsSequence(): CenoteError {
  const message = 'The model keeps state: a request needs a sequence_id that is not 0 or empty.';
  return new CenoteError('invalid_argument', message);
}
