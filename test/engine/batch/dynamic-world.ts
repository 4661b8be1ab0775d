/** A dynamic batcher over a model and a clock that a test holds in its hands. */

import type { DynamicOptions, SubmitOptions, Work } from '../../../src/engine/batch/api.ts';
import { DynamicBatcher } from '../../../src/engine/batch/dynamic-batcher.ts';
import { HeldModel, Told } from './held-model.ts';
import { ManualTime } from './manual-time.ts';

export class DynamicWorld {
  readonly time: ManualTime = new ManualTime();
  readonly model: HeldModel<Work<string>> = new HeldModel();
  readonly #told: Told = new Told();
  readonly batcher: DynamicBatcher<string, string>;

  constructor(options: Partial<DynamicOptions<string, string>> = {}) {
    const { time: timers, model } = this;
    this.batcher = new DynamicBatcher({ execute: model.execute, batchMax: 8, timers, ...options });
  }

  /** One request per letter. */
  submit(names: string, options?: SubmitOptions): void {
    for (const name of names) this.#told.watch(name, this.batcher.submit(name, options));
  }

  /** The same, and lets them be looked at. */
  async arrive(names: string, options?: SubmitOptions): Promise<void> {
    this.submit(names, options);
    await this.time.settle();
  }

  /** The oldest batch, or the oldest of an instance, ends. */
  async finish(results?: readonly unknown[], instance?: number): Promise<void> {
    this.model.finish(results, instance);
    await this.time.settle();
  }

  /** Names of the members, batch by batch. */
  get batches(): string[] {
    return this.model.batches.map((batch) => batch.map(({ input }) => input).join(''));
  }

  /** What callers were told. */
  get told(): readonly string[] {
    return this.#told.all;
  }
}
