/** A sequence batcher over a model and a clock that a test holds in its hands; states are notebooks, which remember what was written into them. */

import type {
  SequenceOptions,
  SequenceSubmit,
  SequenceStates,
  Step,
} from '../../../src/engine/batch/api.ts';
import { SequenceBatcher } from '../../../src/engine/batch/sequence-batcher.ts';
import { HeldModel, Told } from './held-model.ts';
import { ManualTime } from './manual-time.ts';

/** State of a sequence: the inputs that it has seen. */
export interface Notebook {
  readonly seen: string[];
  isOver: boolean;
}

export type NoteStep = Step<string, Notebook>;
export type Options = SequenceOptions<string, string, Notebook>;

export class SequenceWorld {
  readonly time: ManualTime = new ManualTime();
  readonly model: HeldModel<NoteStep> = new HeldModel();
  readonly #told: Told = new Told();
  /** `id: reason` in the order in which sequences ended. */
  readonly ends: string[] = [];
  readonly batcher: SequenceBatcher<string, string, Notebook>;
  readonly states: SequenceStates<Notebook> = {
    begin: () => ({ seen: [], isOver: false }),
    end: (state, { id }, reason) => {
      if (state.isOver) throw new Error(`${id} ended twice`);
      state.isOver = true;
      this.ends.push(`${id}: ${reason}`);
    },
  };

  constructor(options: Partial<Options> = {}) {
    const { time: timers, model, states } = this;
    this.batcher = new SequenceBatcher({
      strategy: { kind: 'direct' },
      execute: model.execute,
      batchMax: 4,
      timers,
      states,
      ...options,
    });
  }

  /** A request `name` of sequence `id`: `(` begins, `)` ends: `world.submit(7, '(a', 'b', 'c)')`. */
  submit(id: string | number, name: string, more: Partial<SequenceSubmit> = {}): void {
    const start = name.startsWith('(');
    const end = name.endsWith(')');
    const input = name.replaceAll(/[()]/g, '');
    this.#told.watch(input, this.batcher.submit(input, { id, start, end, ...more }));
  }

  async arrive(id: string | number, ...names: string[]): Promise<void> {
    for (const name of names) this.submit(id, name);
    await this.time.settle();
  }

  /** The oldest batch ends: every step writes its input down, in the state that it was given. */
  async finish(): Promise<void> {
    const running = this.model.running[0];
    for (const step of running?.batch ?? []) if (step.ready) write(step);
    this.model.finish(running?.batch.map((step) => (step.ready ? step.input : undefined)));
    await this.time.settle();
  }

  /** Until nothing runs. */
  async finishAll(): Promise<void> {
    while (this.model.running.length > 0) await this.finish();
  }

  /** Inputs by batch; `.` is a slot without a request. */
  get batches(): string[] {
    return this.model.batches.map((batch) =>
      batch.map((step) => (step.ready ? step.input : '.')).join(''),
    );
  }

  get told(): readonly string[] {
    return this.#told.all;
  }
}

function write(step: NoteStep & { ready: true }): void {
  if (step.start !== (step.state.seen.length === 0))
    throw new Error(`${step.input}: state is not new`);
  if (step.state.isOver) throw new Error(`${step.input}: state of a sequence that is over`);
  // A new state rather than the old one changed: what a step leaves counts when it succeeds.
  step.state = { seen: [...step.state.seen, step.input], isOver: false };
}
