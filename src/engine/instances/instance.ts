/** An instance as the engine has it: a thread, what it does now, and what it says. */

import { Worker } from 'node:worker_threads';
import { CenoteError, fail } from '../../errors.ts';
import { unmapLeft } from '../../memory/thread-mappings.ts';
import type { Pool } from '../../pool/api.ts';
import type { GeneratedToken, GenerationResult } from '../api.ts';
import { type Foreign, foreign } from '../llama/foreign.ts';
import type {
  Answer,
  Failure,
  FromInstance,
  Held,
  InstanceModel,
  InstanceSetup,
  Question,
  ToInstance,
  Work,
} from '../worker/protocol.ts';

/** An instance that has been told to close and has not ended after this time is ended. */
const closeWaitMs = 10_000;

/** The compiled thread, beside the bundles; what runs from its source takes the one of the last build. */
const threadFile = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/engine/worker.js' : '../engine/worker.js',
  import.meta.url,
);

/** What a thread has left that has ended. @param held it has ended without freeing this, and nobody else knows what it had */
function giveBack(library: Foreign, held: Held | undefined): void {
  if (held !== undefined) {
    library.functions.llama_free(held.context);
    library.functions.llama_model_free(held.model);
  }
  library.returnFreed();
}

/** Who waits for a request. */
export interface Receiver {
  readonly tenant: string;
  token(token: GeneratedToken): void;
  done(result: GenerationResult): void;
  failed(error: CenoteError): void;
}

interface Asker {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: CenoteError) => void;
}

export interface InstanceEvents {
  ready(model: InstanceModel): void;
  /** A place is free. */
  freed(): void;
  /** The thread has ended. @param failure why, when it was not told to */
  ended(failure: Failure | undefined): void;
}

export class Instance {
  readonly #worker: Worker;
  readonly #places: number;
  readonly #events: InstanceEvents;
  readonly #receivers = new Map<number, Receiver>();
  readonly #askers = new Map<number, Asker>();
  readonly #exited: Promise<void>;
  #state: 'starting' | 'ready' | 'closing' | 'ended' = 'starting';
  #failure: Failure | undefined;
  #held: Held | undefined;
  #mappings: SharedArrayBuffer | undefined;
  /** From when it holds anything. */
  #library: Foreign | undefined;
  /** Below those of requests. */
  #nextQuestion = -1;

  constructor(setup: InstanceSetup, pool: Pool | undefined, events: InstanceEvents) {
    this.#places = setup.sequences;
    this.#events = events;
    this.#worker = new Worker(threadFile, { workerData: setup });
    pool?.watchWorker(this.#worker);
    this.#worker.on('message', (message: FromInstance) => this.#take(message));
    this.#worker.on('error', (error: Error) => {
      this.#failure ??= {
        code: 'engine_worker_lost',
        message: `An instance died: ${error.message}`,
      };
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#end();
        resolve();
      });
    });
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get isStarting(): boolean {
    return this.#state === 'starting';
  }

  get running(): number {
    return this.#receivers.size;
  }

  get hasRoom(): boolean {
    return this.isReady && this.#receivers.size < this.#places;
  }

  /** True when a tenant's request may come although all places are taken: those who have all of them make room in time. */
  mayPress(tenant: string): boolean {
    if (!this.isReady || this.#receivers.size >= 2 * this.#places) return false;
    let own = 0;
    for (const each of this.#receivers.values()) if (each.tenant === tenant) own += 1;
    return own < this.#places;
  }

  start(id: number, work: Work, receiver: Receiver): void {
    this.#receivers.set(id, receiver);
    this.#send({ type: 'work', id, work });
  }

  /** The receiver hears nothing more. Messages keep their order, so the sequence is free before the next request comes to the instance. */
  cancel(id: number): void {
    if (!this.#receivers.delete(id)) return;
    this.#send({ type: 'cancel', id });
    this.#events.freed();
  }

  ask(question: Question): Promise<Answer> {
    if (this.#state !== 'ready') fail('engine_worker_lost', 'The instance has ended.');
    const id = this.#nextQuestion--;
    return new Promise((resolve, reject) => {
      this.#askers.set(id, { resolve, reject });
      this.#send({ type: 'question', id, question });
    });
  }

  /** Writes what waits, then ends. */
  async close(): Promise<void> {
    if (this.#state === 'ended') return;
    if (this.#state !== 'closing') {
      this.#state = 'closing';
      this.#send({ type: 'close' });
    }
    const timer = setTimeout(() => void this.#worker.terminate(), closeWaitMs);
    await this.#exited;
    clearTimeout(timer);
  }

  #send(message: ToInstance): void {
    this.#worker.postMessage(message);
  }

  #take(message: FromInstance): void {
    if (message.type === 'ready') {
      if (this.#state === 'starting') this.#state = 'ready';
      this.#events.ready(message.model);
    } else if (message.type === 'tokens') {
      for (const { id, ...token } of message.tokens) this.#receivers.get(id)?.token(token);
    } else if (message.type === 'maps') {
      this.#mappings = message.mappings;
    } else if (message.type === 'holds') {
      this.#held = message.held;
      this.#library = foreign(); // to free what the thread holds after it has died
    } else if (message.type === 'broken') {
      this.#failure = message.failure;
      void this.#worker.terminate();
    } else if (message.type === 'answer') {
      this.#answered(message.id)?.resolve(message.answer);
    } else this.#settle(message);
  }

  #settle(message: Extract<FromInstance, { type: 'done' | 'failed' }>): void {
    const { id } = message;
    const receiver = this.#receivers.get(id);
    if (message.type === 'failed') {
      const error = new CenoteError(message.failure.code, message.failure.message);
      receiver?.failed(error);
      this.#answered(id)?.reject(error);
    } else receiver?.done(message.result);
    if (this.#receivers.delete(id)) this.#events.freed();
  }

  #answered(id: number): Asker | undefined {
    const asker = this.#askers.get(id);
    this.#askers.delete(id);
    return asker;
  }

  #end(): void {
    const wasTold = this.#state === 'closing';
    this.#state = 'ended';
    if (this.#mappings !== undefined) unmapLeft(this.#mappings);
    if (this.#library !== undefined) giveBack(this.#library, this.#held);
    const failure = this.#failure ?? {
      code: 'engine_worker_lost',
      message: 'An instance has ended while it computed this.',
    };
    const error = new CenoteError(wasTold ? 'engine_closed' : failure.code, failure.message);
    for (const receiver of this.#receivers.values()) receiver.failed(error);
    for (const { reject } of this.#askers.values()) reject(error);
    this.#receivers.clear();
    this.#askers.clear();
    this.#events.ended(wasTold ? undefined : failure);
  }
}
