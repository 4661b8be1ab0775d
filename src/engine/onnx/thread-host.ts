/** A model's thread as others have it: begun when it is needed, and anew when it has died. */

import { Worker } from 'node:worker_threads';
import { CenoteError, fail } from '../../errors.ts';
import { unmapLeft } from '../../memory/thread-mappings.ts';
import type { Pool } from '../../pool/api.ts';
import type { TensorInfo } from './api.ts';
import type {
  Failure,
  FromThread,
  OnnxSetup,
  Row,
  RowResult,
  ToThread,
} from './thread/protocol.ts';

/** The compiled thread, beside the bundles; what runs from its source takes the one of the last build. */
const threadFile = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../../dist/engine/onnx-worker.js'
    : '../engine/onnx-worker.js',
  import.meta.url,
);

/** A thread that has been told to close and has not ended after this time is ended. */
const closeWaitMs = 10_000;

export interface ProgramInfo {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

interface Waiting {
  readonly resolve: (results: readonly RowResult[]) => void;
  readonly reject: (error: CenoteError) => void;
}

/** From the start of a thread to its end. */
class Life {
  readonly ready: Promise<ProgramInfo>;
  readonly exited: Promise<void>;
  hasEnded = false;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #failure: Failure | undefined;

  constructor(setup: OnnxSetup, pool: Pool) {
    const worker = new Worker(threadFile, { workerData: setup });
    this.#worker = worker;
    pool.watchWorker(worker);
    worker.on('error', ({ message }: Error) => {
      this.#failure ??= { code: 'engine_worker_lost', message: `The thread died: ${message}` };
    });
    let mappings: SharedArrayBuffer | undefined;
    let begun: (info: ProgramInfo) => void;
    let ended: (error: CenoteError) => void;
    this.ready = new Promise((resolve, reject) => {
      begun = resolve;
      ended = reject;
    });
    // Whoever waits hears of it from here; nobody need wait.
    this.ready.catch(() => {});
    worker.on('message', (message: FromThread) => {
      if (message.type === 'ready') begun({ inputs: message.inputs, outputs: message.outputs });
      else if (message.type === 'maps') mappings = message.mappings;
      else if (message.type === 'broken') this.#failure = message.failure;
      else this.#take(message);
    });
    this.exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.hasEnded = true;
        if (mappings !== undefined) unmapLeft(mappings);
        const error = errorOf(this.#failure ?? hasEndedFailure);
        ended(error);
        for (const { reject } of this.#waiting.values()) reject(error);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  async run(rows: readonly Row[]): Promise<readonly RowResult[]> {
    await this.ready;
    if (this.hasEnded) throw errorOf(this.#failure ?? hasEndedFailure);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ type: 'run', id, rows });
    });
  }

  async close(): Promise<void> {
    if (this.hasEnded) return;
    this.#failure ??= { code: 'engine_closed', message: 'The model has been closed.' };
    const timer = setTimeout(() => void this.#worker.terminate(), closeWaitMs);
    await this.ready.catch(() => {});
    if (!this.hasEnded) this.#send({ type: 'close' });
    await this.exited;
    clearTimeout(timer);
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #take(message: Extract<FromThread, { type: 'done' | 'failed' }>): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === 'done') waiting?.resolve(message.results);
    else waiting?.reject(errorOf(message.failure));
  }
}

const hasEndedFailure: Failure = {
  code: 'engine_worker_lost',
  message: 'The thread of the model has ended.',
};

export function errorOf({ code, message }: Failure): CenoteError {
  return new CenoteError(code, message);
}

export class ThreadHost {
  readonly #setup: OnnxSetup;
  readonly #pool: Pool;
  #life: Life | undefined;
  #isClosed = false;

  constructor(setup: OnnxSetup, pool: Pool) {
    this.#setup = setup;
    this.#pool = pool;
  }

  /** What the model takes and gives. @throws what keeps it from being opened */
  info(): Promise<ProgramInfo> {
    return this.#alive().ready;
  }

  /** @throws engine_worker_lost, engine_closed, engine_failed, and what keeps the model from being opened */
  run(rows: readonly Row[]): Promise<readonly RowResult[]> {
    return this.#alive().run(rows);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#life?.close();
  }

  #alive(): Life {
    if (this.#isClosed) fail('engine_closed', 'The model has been closed.');
    if (this.#life === undefined || this.#life.hasEnded)
      this.#life = new Life(this.#setup, this.#pool);
    return this.#life;
  }
}
