/** A model whose batches end when a test says so, and what became of its callers. */

import { hasCode, type ErrorCode } from '../../../src/errors.ts';

interface Running<W> {
  readonly batch: readonly W[];
  readonly instance: number;
  readonly resolve: (results: readonly unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

export class HeldModel<W> {
  /** All batches, in the order in which they began. */
  readonly batches: (readonly W[])[] = [];
  readonly running: Running<W>[] = [];

  readonly execute = (batch: readonly W[], instance: number): Promise<never[]> => {
    this.batches.push([...batch]);
    return new Promise((resolve, reject) => {
      const end = resolve as (results: readonly unknown[]) => void;
      this.running.push({ batch, instance, resolve: end, reject });
    });
  };

  /** The oldest batch that runs, or the oldest of an instance, ends. */
  finish(results?: readonly unknown[], instance?: number): void {
    const { batch, resolve } = this.#take(instance);
    resolve(results ?? batch.map((work) => (work as { input: unknown }).input));
  }

  fail(error: unknown): void {
    this.#take(undefined).reject(error);
  }

  #take(instance: number | undefined): Running<W> {
    const index = this.running.findIndex(
      (each) => instance === undefined || each.instance === instance,
    );
    const [running] = this.running.splice(index, index < 0 ? 0 : 1);
    if (running === undefined) throw new Error('nothing runs');
    return running;
  }
}

/** What callers were told, in that order: `name` or `name: code`. */
export class Told {
  readonly all: string[] = [];

  watch(name: string, answer: Promise<unknown>): void {
    void answer.then(
      () => this.all.push(name),
      (error: unknown) => this.all.push(`${name}: ${codeOf(error)}`),
    );
  }
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: ErrorCode };
  return code !== undefined && hasCode(error, code) ? code : String(error);
}
