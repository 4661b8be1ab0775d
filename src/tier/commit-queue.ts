/**
 * Group commit: what is queued while one transaction commits goes into the next one together. So a sync is shared by as many as wait for
 * one, and who is alone waits for nobody.
 */

import { CenoteError } from '../errors.ts';

/** Bytes of one transaction, since the thread copies them into it in one go; a single job may be larger. */
const batchMaxBytes: number = 4 * 2 ** 20;
const batchMaxJobs = 1024;

interface Job {
  readonly sizeBytes: number;
  /** Runs within the transaction. What it throws as a coded error, before it changes anything, concerns only itself. */
  readonly work: () => void;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
  /** What it threw. */
  refusal: CenoteError | undefined;
}

export class CommitQueue {
  readonly #transact: (work: () => void) => Promise<void>;
  readonly #jobs: Job[] = [];
  #running: Promise<void> | undefined;

  /** `transact` runs its work within a transaction, and resolves when that is on the disk. */
  constructor(transact: (work: () => void) => Promise<void>) {
    this.#transact = transact;
  }

  get isIdle(): boolean {
    return this.#running === undefined;
  }

  /** Resolves with what `work` returned once it is on the disk. */
  run<T>(sizeBytes: number, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      this.#jobs.push({
        sizeBytes,
        work: () => {
          result = work();
        },
        done: () => resolve(result),
        failed: reject,
        refusal: undefined,
      });
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when nothing is queued. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #drain(): Promise<void> {
    // What is queued in the same turn belongs together.
    await Promise.resolve();
    while (this.#jobs.length > 0) await this.#commit(this.#take());
    this.#running = undefined;
  }

  #take(): Job[] {
    let sizeBytes = 0;
    let count = 0;
    for (const job of this.#jobs) {
      sizeBytes += job.sizeBytes;
      if (count > 0 && (sizeBytes > batchMaxBytes || count === batchMaxJobs)) break;
      count++;
    }
    return this.#jobs.splice(0, count);
  }

  async #commit(batch: readonly Job[]): Promise<void> {
    try {
      await this.#transact(() => runAll(batch));
    } catch (error) {
      for (const { refusal, failed } of batch) failed(refusal ?? error);
      return;
    }
    for (const { refusal, done, failed } of batch) {
      if (refusal === undefined) done();
      else failed(refusal);
    }
  }
}

function runAll(batch: readonly Job[]): void {
  for (const job of batch) {
    job.refusal = undefined;
    try {
      job.work();
    } catch (error) {
      if (!(error instanceof CenoteError)) throw error;
      job.refusal = error;
    }
  }
}
